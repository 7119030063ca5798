package servertest

// Style is a style fragment of one layer of areas, with a member of each kind.
func Style() string {
	return `{"from":3,"legend":[{"swatch":"fill","color":"levels.1","text":{"zh":"区","en":"Areas"}},{"note":{"zh":"示意","en":""}}],` +
		`"layers":[{"id":"-fill","slot":"areas","type":"fill","minzoom":4,"filter":["has","level"],"layout":{"fill-sort-key":1},` +
		`"paint":{"fill-color":{"$token":"levels.1"},"fill-opacity":{"$opacity":0.5}}}]}`
}
