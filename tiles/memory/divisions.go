package memory

// divisions assigns a number to each different division code of a layer. A scope is then checked once for each code and
// not for each feature.
type divisions struct {
	numbers map[string]uint32
	codes   []string
	uses    []uint32
	free    []uint32
}

// take returns the number of a division code and counts one more use of it.
func (d *divisions) take(code string) uint32 {
	if n, ok := d.numbers[code]; ok {
		d.uses[n]++
		return n
	}
	if d.numbers == nil {
		d.numbers = map[string]uint32{}
	}
	var n uint32
	if k := len(d.free); k > 0 {
		n, d.free = d.free[k-1], d.free[:k-1]
		d.codes[n], d.uses[n] = code, 1
	} else {
		n = uint32(len(d.codes))
		d.codes, d.uses = append(d.codes, code), append(d.uses, 1)
	}
	d.numbers[code] = n
	return n
}

// drop removes one use of a number. A number without uses is reused for the next new code.
func (d *divisions) drop(n uint32) {
	if d.uses[n]--; d.uses[n] == 0 {
		delete(d.numbers, d.codes[n])
		d.codes[n] = ""
		d.free = append(d.free, n)
	}
}

// code returns the division code of a number.
func (d *divisions) code(n uint32) string { return d.codes[n] }
