// Package searchtext creates the text by which a search finds a thing: its names, their pinyin and initials.
package searchtext

import (
	"slices"
	"strings"
	"unicode"

	"github.com/mozillazg/go-pinyin"

	"onemap/internal/core"
)

// maxReadings is the largest number of pinyin spellings of one name.
const maxReadings = 12

// Lines returns the search text of a thing: its names, the pinyin of the Chinese name and its initials, and its codes and
// keys, all in lower case. Each term is on its own line between line feeds, so that a search can distinguish a whole term,
// the beginning of a term and any part of a term.
func Lines(name core.Text, more ...string) string {
	words := append([]string{name.ZH, name.EN}, more...)
	words = append(words, pinyinOf(name.ZH)...)
	var b strings.Builder
	b.WriteByte('\n')
	var seen []string
	for _, w := range words {
		w = Word(w)
		if w == "" || slices.Contains(seen, w) {
			continue
		}
		seen = append(seen, w)
		b.WriteString(w)
		b.WriteByte('\n')
	}
	return b.String()
}

// Word returns a word in the form for comparison: lower case, single spaces, no control characters.
func Word(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return unicode.ToLower(r)
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// pinyinOf returns the spellings of a Chinese name without tones ("yantaigang") and their initials ("ytg"). Latin letters and
// digits stay. Many characters have several readings (长 chang, zhang). In addition to the usual spelling there is one for
// each other reading of one character.
func pinyinOf(zh string) []string {
	if !slices.ContainsFunc([]rune(zh), func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		return nil
	}
	var readings [][]string
	for _, r := range zh {
		if of := readingsOf(r); len(of) > 0 {
			readings = append(readings, of)
		}
	}
	usual := make([]string, 0, len(readings))
	for _, r := range readings {
		usual = append(usual, r[0])
	}
	spellings := [][]string{usual}
	for i, r := range readings {
		for _, other := range r[1:] {
			if other == r[0] || len(spellings) >= maxReadings {
				continue
			}
			variant := slices.Clone(usual)
			variant[i] = other
			spellings = append(spellings, variant)
		}
	}
	var out []string
	for _, s := range spellings {
		out = append(out, strings.Join(s, ""), initialsOf(s))
	}
	return out
}

// readingsOf returns the readings of a character without tones, the usual one first. A Latin letter or a digit is its own
// reading; other characters have none. The function of the library that removes tones is not used: it is a hundred times
// slower, and an import calls this for every character of every name.
func readingsOf(r rune) []string {
	if r < unicode.MaxASCII {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return []string{string(unicode.ToLower(r))}
		}
		return nil
	}
	marked, ok := pinyin.PinyinDict[int(r)]
	if !ok {
		return nil
	}
	var out []string
	for reading := range strings.SplitSeq(marked, ",") {
		if plain := strings.Map(withoutTone, reading); plain != "" && !slices.Contains(out, plain) {
			out = append(out, plain)
		}
	}
	return out
}

// withoutTone removes the tone from a letter of pinyin. ü becomes v, as users type it.
func withoutTone(r rune) rune {
	switch r {
	case 'ā', 'á', 'ǎ', 'à':
		return 'a'
	case 'ē', 'é', 'ě', 'è', 'ê', 'ế', 'ề':
		return 'e'
	case 'ī', 'í', 'ǐ', 'ì':
		return 'i'
	case 'ō', 'ó', 'ǒ', 'ò':
		return 'o'
	case 'ū', 'ú', 'ǔ', 'ù':
		return 'u'
	case 'ü', 'ǖ', 'ǘ', 'ǚ', 'ǜ':
		return 'v'
	case 'ń', 'ň', 'ǹ':
		return 'n'
	case 'ḿ':
		return 'm'
	}
	if r < 'a' || r > 'z' {
		return -1 // a combining accent
	}
	return r
}

// initialsOf returns the first letters of the syllables.
func initialsOf(syllables []string) string {
	var b strings.Builder
	for _, s := range syllables {
		b.WriteString(s[:1])
	}
	return b.String()
}
