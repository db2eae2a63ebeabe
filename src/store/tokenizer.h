#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace roost {

/// Splits a text into the words that keyword search knows, in order, repetitions included: runs of
/// Unicode letters, marks and digits in lower case. Chinese and Japanese are written without
/// blanks, so each Han and Hiragana character is a word of its own. Words over 255 bytes are cut
/// into pieces. Bytes that are not UTF-8 separate words. Part of the file format of embedded
/// indexes: a change needs a new index version.
std::vector<std::string> Tokenize(std::string_view text);

}  // namespace roost
