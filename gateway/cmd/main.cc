#include "gateway/app/serve.h"
#include "gateway/cli/cli.h"

int main(int argc, char** argv) {
  return cdgate::cli::Run(argc, argv, cdgate::cli::Streams::OfProcess(),
                          {.serve = cdgate::app::Serve});
}
