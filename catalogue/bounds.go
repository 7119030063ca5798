package catalogue

// The bounds of what a feature says of itself, whether an import or a person writes it. Its names are lines of at most
// core.MaxName characters.
const (
	MaxKey             = 256       // bytes of the key, which is a line
	MaxProperties      = 1000      // fields
	MaxPropertyName    = 256       // bytes of a field's name
	MaxPropertyBytes   = 256 << 10 // of a field's value, as JSON
	MaxPropertiesBytes = 1 << 20   // of all fields, as JSON
	MaxPropertyDepth   = 16        // lists and objects inside each other, in one field
)
