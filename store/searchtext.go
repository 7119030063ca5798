package store

import (
	"slices"
	"strings"
	"unicode"

	"github.com/mozillazg/go-pinyin"

	"onemap/internal/core"
)

// maxReadings bounds the pinyin spellings that are kept of one name.
const maxReadings = 12

// searchText is what a thing is found by: its names, the Chinese one's pinyin and its initials, and
// its codes and keys, in lower case, each on a line of its own between line feeds, so that a whole
// line, a line's beginning and any part of one can be told apart.
func searchText(name core.Text, more ...string) string {
	words := append([]string{name.ZH, name.EN}, more...)
	words = append(words, pinyinOf(name.ZH)...)
	var b strings.Builder
	b.WriteByte('\n')
	var seen []string
	for _, w := range words {
		w = searchWord(w)
		if w == "" || slices.Contains(seen, w) {
			continue
		}
		seen = append(seen, w)
		b.WriteString(w)
		b.WriteByte('\n')
	}
	return b.String()
}

// searchWord is a word as it is compared: lower case, spaces joined, nothing unprintable.
func searchWord(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return unicode.ToLower(r)
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// pinyinOf gives the spellings of a Chinese name without tones ("yantaigang") and their initials
// ("ytg"). Latin letters and digits stay. Many characters have several readings (长 chang, zhang);
// beside the usual spelling there is one for each other reading of one character.
func pinyinOf(zh string) []string {
	args := pinyin.NewArgs()
	args.Heteronym = true
	args.Fallback = func(r rune, _ pinyin.Args) []string {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return []string{string(r)}
		}
		return nil
	}
	readings := pinyin.Pinyin(zh, args)
	if !slices.ContainsFunc([]rune(zh), func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		return nil
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

func initialsOf(syllables []string) string {
	var b strings.Builder
	for _, s := range syllables {
		b.WriteString(s[:1])
	}
	return b.String()
}
