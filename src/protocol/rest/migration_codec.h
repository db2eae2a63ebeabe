#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "migration/migration.h"

namespace roost::rest {

/// {"collection", "target", "automatic", "allow_existing_target", "policy": {…}}
Result<MigrationSpec> DecodeMigration(const std::string& body);
/// {"to": "VERIFY"}; empty: the next gate.
Result<std::optional<MigrationState>> DecodeAdvance(const std::string& body);

std::string EncodeMigration(const MigrationStatus& status);
std::string EncodePlan(const MigrationPlan& plan);
std::string EncodeDeadLetters(const std::vector<DeadLetter>& letters);

}  // namespace roost::rest
