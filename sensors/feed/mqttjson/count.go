package mqttjson

// Count returns the number of readings in a payload without decoding it: it counts the names within the "v" of its records. For
// other payloads the number has no meaning; it is never greater than the length of the payload in bytes.
func Count(payload []byte) int {
	const inValues = 2 // braces deep
	// text is true within a JSON string: braces and colons there are part of the text.
	n, depth, text := 0, 0, false
	for i := 0; i < len(payload); i++ {
		switch c := payload[i]; {
		// The byte after a backslash never ends the string, so it is skipped.
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
