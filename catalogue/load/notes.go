package load

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"onemap/internal/core"
)

// maxWords is the largest number of different words or fields that a note lists. All of them are counted. It bounds the
// memory and the length of the note.
const maxWords = 8

// tally counts how the fields of the records were used, for the notes of an import.
type tally struct {
	roles     [nRoles]counts // records by the field that has the role
	levels    map[string]*levelCount
	divisions map[string]counts // by field: texts that are not division codes
	shortened map[string]counts // by column: numbers that a spreadsheet shortened
	cut       int64             // geometries that were cut at 180°
	said      []string          // notes that do not depend on the counts
}

// counts counts texts. It keeps at most maxWords different texts.
type counts struct {
	n    int64
	each map[string]int64
}

// add counts a text. The text is cloned, because it may point into a large buffer.
func (c *counts) add(text string) {
	c.n++
	if c.each == nil {
		c.each = map[string]int64{}
	}
	if _, known := c.each[text]; known || len(c.each) < maxWords {
		c.each[strings.Clone(text)]++
	}
}

// String implements fmt.Stringer. It lists the texts, the most frequent first: "特大型 (2), 小型".
func (c *counts) String() string {
	words := slices.SortedFunc(maps.Keys(c.each), func(a, b string) int {
		if c.each[a] != c.each[b] {
			return int(c.each[b] - c.each[a])
		}
		return strings.Compare(a, b)
	})
	rest := c.n
	for i, w := range words {
		rest -= c.each[w]
		if c.each[w] > 1 {
			words[i] = fmt.Sprintf("%s (%d)", clip(w), c.each[w])
		} else {
			words[i] = clip(w)
		}
	}
	if rest > 0 {
		words = append(words, fmt.Sprintf("and %d more", rest))
	}
	return strings.Join(words, ", ")
}

// levelCount counts the levels of a field, and the words that are not levels.
type levelCount struct {
	by      [core.Blue + 1]int64
	unknown counts
}

// took counts a record in which the field had the role.
func (t *tally) took(r role, field string) { t.roles[r].add(field) }

// level counts a word of a level field. ok is true if the word was understood.
func (t *tally) level(field string, l core.Level, word string, ok bool) {
	if t.levels == nil {
		t.levels = map[string]*levelCount{}
	}
	c := t.levels[field]
	if c == nil {
		c = &levelCount{}
		t.levels[field] = c
	}
	if !ok {
		c.unknown.add(word)
		return
	}
	c.by[l]++
}

// noDivision counts a text that should be a division code and is not.
func (t *tally) noDivision(field, text string) { addTo(&t.divisions, field, text) }

// short counts a number that a spreadsheet wrote as 3.70602E+11: its last digits are lost.
func (t *tally) short(column, text string) { addTo(&t.shortened, column, text) }

// addTo counts a text under a field.
func addTo(all *map[string]counts, field, text string) {
	if *all == nil {
		*all = map[string]counts{}
	}
	c := (*all)[field]
	c.add(text)
	(*all)[field] = c
}

// notes returns the sentences for the report of the import.
func (t *tally) notes() []string {
	notes := slices.Clone(t.said)
	var taken []string
	for r := range nRoles {
		if t.roles[r].n > 0 && r != roleLevel {
			taken = append(taken, fmt.Sprintf("%s from %s", r, t.roles[r].fields()))
		}
	}
	if len(taken) > 0 {
		notes = append(notes, strings.Join(taken, ", "))
	}
	for _, field := range slices.Sorted(maps.Keys(t.levels)) {
		notes = append(notes, "level from "+clip(field)+": "+t.levels[field].String())
	}
	for _, field := range slices.Sorted(maps.Keys(t.divisions)) {
		c := t.divisions[field]
		notes = append(notes, fmt.Sprintf("%d divisions in %s are no codes of GB/T 2260 and were taken from the place: %s", c.n, clip(field), &c))
	}
	for _, column := range slices.Sorted(maps.Keys(t.shortened)) {
		c := t.shortened[column]
		notes = append(notes, fmt.Sprintf("%d numbers in %s were shortened by a spreadsheet and have lost digits: %s; they are neither keys nor codes. "+
			"Format the column as text there and export it again", c.n, clip(column), &c))
	}
	if t.cut > 0 {
		notes = append(notes, fmt.Sprintf("%d records cross the meridian of 180° and were cut there", t.cut))
	}
	return notes
}

// fields returns the names without their counts.
func (c *counts) fields() string {
	names := slices.Sorted(maps.Keys(c.each))
	for i, name := range names {
		names[i] = clip(name)
	}
	return strings.Join(names, " or ")
}

// String implements fmt.Stringer. It returns a text such as "12 red, 3 orange; 2 not understood and left empty: 特大型
// (2)".
func (c *levelCount) String() string {
	var parts []string
	for l := core.Red; l <= core.Blue; l++ {
		if c.by[l] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.by[l], l))
		}
	}
	if c.by[core.None] > 0 {
		parts = append(parts, fmt.Sprintf("%d none", c.by[core.None]))
	}
	text := strings.Join(parts, ", ")
	if c.unknown.n == 0 {
		return text
	}
	if text != "" {
		text += "; "
	}
	return text + fmt.Sprintf("%d not understood and left empty: %s", c.unknown.n, &c.unknown)
}
