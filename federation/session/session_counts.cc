// What a session does about counts: what it is given is told, and what it is told given on.
#include <utility>

#include "federation/session/session.h"

namespace cdgate::session {

void Session::SendCount(federation::v1::Frame frame) {
  Post([this, send = link::SendCount{std::move(frame)}]() mutable { Step(std::move(send)); });
}

void Session::Do(link::CountAsked asked) {
  if (callbacks_.on_count_request) callbacks_.on_count_request(asked.request);
}

void Session::Do(link::CountAnswered answered) {
  if (callbacks_.on_count_answer) callbacks_.on_count_answer(answered.answer);
}

}  // namespace cdgate::session
