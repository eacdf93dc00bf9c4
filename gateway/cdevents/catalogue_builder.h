// Compiles the options of proto/cdevents/v1. For catalogue.cc alone.
#pragma once

#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "cdevents/v1/options.pb.h"
#include "gateway/cdevents/catalogue.h"

namespace cdgate::cdevents {

class CatalogueBuilder {
 public:
  static const Catalogue* Build();

 private:
  using Descriptor = google::protobuf::Descriptor;
  using FieldDescriptor = google::protobuf::FieldDescriptor;

  void AddEvent(const Descriptor* message);
  void AddType(const Descriptor* message, const ::cdevents::v1::TypeVersion& version);
  void AddLinks(Family family);
  const Form* AddForm(const Descriptor* message, Family family, absl::string_view type);

  // An object that does not depend on the event it is in: made once in each family.
  const Object* Shared(const Descriptor* message, Family family);
  Object* NewObject(const Descriptor* message, Family family);
  void AddMembers(const Descriptor* message, Family family, Object* object);
  void SetKind(const FieldDescriptor* field, Family family, Member* member);

  // What the event's own options change in the objects around its content.
  static void AdaptContext(const Form& form, const ::cdevents::v1::Event& event, Object* context);
  static void AdaptSubject(const Form& form, const ::cdevents::v1::Event& event, Object* subject);

  Catalogue* out_ = nullptr;  // never destroyed
  absl::flat_hash_map<std::pair<const Descriptor*, Family>, const Object*> shared_;
};

}  // namespace cdgate::cdevents
