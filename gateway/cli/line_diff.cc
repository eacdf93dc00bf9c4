#include "gateway/cli/line_diff.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace cdgate::cli {
namespace {

constexpr int kContext = 3;
// Lines that differ, at most, before the rest is one change.
constexpr int kMaxEdits = 1000;

using Lines = std::vector<absl::string_view>;

Lines LinesOf(absl::string_view text) {
  if (text.empty()) return {};
  if (text.back() == '\n') text.remove_suffix(1);
  return absl::StrSplit(text, '\n');
}

// Lines that are in both texts, as pairs of their places, ascending.
using Common = std::vector<std::pair<int, int>>;

// Myers, "An O(ND) Difference Algorithm and Its Variations" (1986): `ends[d]` has for each
// diagonal k in -d..d how far d edits get in `a`.
class Myers {
 public:
  Myers(const Lines& a, const Lines& b)
      : a_(a), b_(b), n_(static_cast<int>(a.size())), m_(static_cast<int>(b.size())) {}

  Common Run() {
    const int most = std::min(n_ + m_, kMaxEdits);
    std::vector<int> end(2 * most + 2, 0);
    const auto at = [most](int k) { return k + most; };
    for (int d = 0; d <= most; ++d) {
      for (int k = -d; k <= d; k += 2) {
        const bool down = k == -d || (k != d && end[at(k - 1)] < end[at(k + 1)]);
        int x = down ? end[at(k + 1)] : end[at(k - 1)] + 1;
        while (x < n_ && x - k < m_ && x - k >= 0 && a_[x] == b_[x - k]) ++x;
        end[at(k)] = x;
        if (x >= n_ && x - k >= m_) return Back(d, at(0));
      }
      ends_.push_back(end);
    }
    return {};
  }

 private:
  // From the end of both texts to their beginnings.
  Common Back(int d, int zero) const {
    Common common;
    int x = n_;
    int y = m_;
    for (; d > 0; --d) {
      const std::vector<int>& end = ends_[d - 1];
      const int k = x - y;
      const bool down = k == -d || (k != d && end[zero + k - 1] < end[zero + k + 1]);
      const int before_k = down ? k + 1 : k - 1;
      const int before_x = end[zero + before_k];
      const int start = down ? before_x : before_x + 1;
      for (; x > start; --x, --y) common.emplace_back(x - 1, y - 1);
      x = before_x;
      y = before_x - before_k;
    }
    for (; x > 0; --x, --y) common.emplace_back(x - 1, y - 1);
    std::reverse(common.begin(), common.end());
    return common;
  }

  const Lines& a_;
  const Lines& b_;
  const int n_;
  const int m_;
  std::vector<std::vector<int>> ends_;
};

// One line of the output.
struct Shown {
  char mark;
  absl::string_view text;
  int before;  // lines of either text that came before it
  int after;
};

std::vector<Shown> Merge(const Lines& a, const Lines& b, const Common& common) {
  std::vector<Shown> out;
  int x = 0;
  int y = 0;
  const auto until = [&](int end_x, int end_y) {
    for (; x < end_x; ++x) out.push_back({'-', a[x], x, y});
    for (; y < end_y; ++y) out.push_back({'+', b[y], x, y});
  };
  for (const auto& [in_a, in_b] : common) {
    until(in_a, in_b);
    out.push_back({' ', a[x], x, y});
    ++x;
    ++y;
  }
  until(static_cast<int>(a.size()), static_cast<int>(b.size()));
  return out;
}

std::string RangeText(int start, int count) {
  return absl::StrCat(count == 0 ? start : start + 1, count == 1 ? "" : absl::StrCat(",", count));
}

void AppendHunk(const std::vector<Shown>& lines, int first, int last, std::string* out) {
  const auto begin = lines.begin() + first;
  const auto end = lines.begin() + last;
  const int added =
      static_cast<int>(std::count_if(begin, end, [](const Shown& s) { return s.mark == '+'; }));
  const int removed =
      static_cast<int>(std::count_if(begin, end, [](const Shown& s) { return s.mark == '-'; }));
  const int kept = last - first - added - removed;
  absl::StrAppend(out, "@@ -", RangeText(begin->before, kept + removed), " +",
                  RangeText(begin->after, kept + added), " @@\n");
  for (auto line = begin; line != end; ++line) {
    out->push_back(line->mark);
    absl::StrAppend(out, line->text, "\n");
  }
}

}  // namespace

std::string UnifiedDiff(absl::string_view before, absl::string_view after,
                        absl::string_view before_name, absl::string_view after_name) {
  const Lines a = LinesOf(before);
  const Lines b = LinesOf(after);
  if (a == b) return "";
  const std::vector<Shown> lines = Merge(a, b, Myers(a, b).Run());
  const int size = static_cast<int>(lines.size());
  std::string out = absl::StrCat("--- ", before_name, "\n+++ ", after_name, "\n");
  for (int at = 0; at < size;) {
    while (at < size && lines[at].mark == ' ') ++at;
    if (at == size) break;
    const int first = std::max(0, at - kContext);
    int last = at;  // behind the last change of the hunk
    for (int i = at; i < size && i - last <= 2 * kContext; ++i) {
      if (lines[i].mark != ' ') last = i + 1;
    }
    AppendHunk(lines, first, std::min(size, last + kContext), &out);
    at = last;
  }
  return out;
}

}  // namespace cdgate::cli
