// A producer that signs its events, as the CloudEvents extension "verifiability" says; made from
// that text, and not with the code under test.
//
//   const Producer producer = Producer::Make(crypto::KeyType::kP256);
//   const std::string material = SignatureOf(event, {"priority"}, producer);
#pragma once

#include <string>
#include <vector>

#include "auth/crypto/private_key.h"
#include "auth/crypto/public_key.h"
#include "io/cloudevents/v1/cloudevents.pb.h"

namespace cdgate::test {

struct Producer {
  crypto::PrivateKey key;
  crypto::PublicKey public_key;

  static Producer Make(crypto::KeyType type);
};

// An event with the attributes datacontenttype, subject, time, priority (3) and urgent (true).
io::cloudevents::v1::CloudEvent ProducerEvent();

// A DSSE envelope over `event` and the extension attributes of these names. Of attributes only the
// kinds that ProducerEvent() has.
std::string SignatureOf(const io::cloudevents::v1::CloudEvent& event,
                        const std::vector<std::string>& names, const Producer& producer);

}  // namespace cdgate::test
