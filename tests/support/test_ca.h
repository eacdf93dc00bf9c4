// A certificate authority for tests: a domain with a root, leaves of any shape, and
// revocation lists, all as PEM.
//
//   test::TestCa alpha("alpha.example", clock.Now());
//   auto gateway = alpha.Gateway("gw1");              // certificate_pem, key_pem
//   alpha.WriteIdentity(dir.path(), gateway);         // tls.crt, tls.key, bundle.pem
#pragma once

#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/crypto/certificate_authority.h"
#include "gateway/base/file.h"

namespace cdgate::test {

class TestCa {
 public:
  TestCa(std::string domain, absl::Time now)
      : domain_(std::move(domain)),
        now_(now),
        root_(crypto::CertificateAuthority::InitRoot(domain_, {}, now).value()),
        ca_(crypto::CertificateAuthority::Load(root_.certificate_pem, root_.key_pem).value()) {}

  const std::string& domain() const { return domain_; }
  const std::string& bundle_pem() const { return root_.certificate_pem; }
  const std::string& root_key_pem() const { return root_.key_pem; }
  const crypto::CertificateAuthority& ca() const { return ca_; }

  // spiffe://DOMAIN/gateway/`instance`, also for the DNS name localhost and 127.0.0.1.
  crypto::IssuedCertificate Gateway(const std::string& instance) const {
    return Leaf({absl::StrCat("spiffe://", domain_, "/gateway/", instance)});
  }
  crypto::IssuedCertificate Service(const std::string& name) const {
    return Leaf({absl::StrCat("spiffe://", domain_, "/service/", name)});
  }
  // spiffe://DOMAIN/attestor/`name`, of no use in TLS.
  crypto::IssuedCertificate Attestor(const std::string& name) const {
    return Attestor(name, now_, absl::Hours(24));
  }
  crypto::IssuedCertificate Attestor(const std::string& name, absl::Time from,
                                     absl::Duration validity,
                                     crypto::KeyType key_type = crypto::KeyType::kP256) const {
    crypto::LeafRequest request;
    request.uri_names = {absl::StrCat("spiffe://", domain_, "/attestor/", name)};
    request.key_type = key_type;
    request.validity = validity;
    request.use = crypto::LeafUse::kStatements;
    return ca_.Issue(request, from).value();
  }
  crypto::IssuedCertificate Leaf(std::vector<std::string> uri_names) const {
    return Leaf(std::move(uri_names), now_, absl::Hours(24));
  }
  crypto::IssuedCertificate Leaf(std::vector<std::string> uri_names, absl::Time from,
                                 absl::Duration validity) const {
    crypto::LeafRequest request;
    request.uri_names = std::move(uri_names);
    request.dns_names = {"localhost"};
    request.ip_names = {"127.0.0.1"};
    request.validity = validity;
    request.common_name = "test leaf";
    return ca_.Issue(request, from).value();
  }

  // A list with the leaf of `certificate_pem` on it.
  std::string CrlRevoking(const std::string& certificate_pem) const {
    const auto leaf = crypto::Certificate::FromPem(certificate_pem).value();
    return ca_.IssueCrl({{leaf.serial(), now_}}, 1, absl::Hours(24), now_).value();
  }
  std::string EmptyCrl() const { return ca_.IssueCrl({}, 1, absl::Hours(24), now_).value(); }

  // As the command line reads an identity, and fit for IdentityOptions.
  absl::Status WriteIdentity(const std::string& dir, const crypto::IssuedCertificate& leaf) const {
    for (const auto& [name, content, mode] : {std::tuple<const char*, const std::string&, mode_t>{
                                                  "tls.crt", leaf.certificate_pem, 0644},
                                              {"tls.key", leaf.key_pem, 0600},
                                              {"bundle.pem", bundle_pem(), 0644}}) {
      const absl::Status status =
          base::WriteFileAtomically(base::JoinPath(dir, name), content, mode);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  const std::string domain_;
  const absl::Time now_;
  const crypto::IssuedCertificate root_;
  const crypto::CertificateAuthority ca_;
};

}  // namespace cdgate::test
