package mqttjson

// Count is how many readings a payload holds, without decoding it: the names within the "v" of its records. Of
// what is not readings it gives a number that means nothing, and that is never more than the payload has bytes.
func Count(payload []byte) int {
	const inValues = 2 // braces deep
	n, depth, text := 0, 0, false
	for i := 0; i < len(payload); i++ {
		switch c := payload[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{':
			depth++
		case c == '}':
			depth--
		case c == ':' && depth == inValues:
			n++
		}
	}
	return n
}
