package pg

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	// The flags of EWKB, the extended WKB of PostGIS, in the type of a geometry. Source: PostGIS, doc/ZMSgeoms.txt.
	ewkbZ        = 0x80000000
	ewkbM        = 0x40000000
	ewkbSRID     = 0x20000000
	maxEWKBDepth = 32 // largest nesting of collections
)

var errShortEWKB = errors.New("it ends before its geometry does")

// walkEWKB checks the structure of the EWKB geometry at the beginning of b, and returns the bytes after it. The decoder
// trusts the counts in the bytes: it allocates as many positions and recurses as deep as they say. So the counts are checked
// against the length first.
func walkEWKB(b []byte, depth int) ([]byte, error) {
	if depth > maxEWKBDepth {
		return nil, fmt.Errorf("collections are nested deeper than %d", maxEWKBDepth)
	}
	if len(b) < 5 {
		return nil, errShortEWKB
	}
	var order binary.ByteOrder = binary.LittleEndian
	// The first byte is the byte order: 0 is big endian (XDR), 1 is little endian (NDR).
	if b[0] == 0 {
		order = binary.BigEndian
	}
	kind := order.Uint32(b[1:])
	b = b[5:]
	// A position is X and Y, two float64 of 8 bytes. Z and M add 8 bytes each.
	position := 16
	for _, flag := range []uint32{ewkbZ, ewkbM} {
		if kind&flag != 0 {
			position += 8
		}
	}
	if kind&ewkbSRID != 0 {
		if len(b) < 4 {
			return nil, errShortEWKB
		}
		b = b[4:]
	}
	switch kind &^ (ewkbZ | ewkbM | ewkbSRID) {
	case 1: // Point
		return skip(b, 1, position)
	case 2: // LineString
		return walkPositions(b, order, position)
	case 3: // Polygon
		return walkMany(b, order, func(b []byte) ([]byte, error) { return walkPositions(b, order, position) })
	case 4, 5, 6, 7: // MultiPoint, MultiLineString, MultiPolygon, GeometryCollection
		return walkMany(b, order, func(b []byte) ([]byte, error) { return walkEWKB(b, depth+1) })
	}
	return nil, errUnknownKind(kind &^ (ewkbZ | ewkbM | ewkbSRID))
}

// errUnknownKind returns an error with the name of a geometry type that PostGIS has and orb has not.
func errUnknownKind(kind uint32) error {
	names := map[uint32]string{
		8: "CircularString", 9: "CompoundCurve", 10: "CurvePolygon", 11: "MultiCurve", 12: "MultiSurface",
		15: "PolyhedralSurface", 16: "TIN", 17: "Triangle",
	}
	if name, ok := names[kind]; ok {
		return fmt.Errorf("a %s is of no kind that can be drawn", name)
	}
	return fmt.Errorf("unknown type %#x", kind)
}

// walkPositions skips a count and as many positions.
func walkPositions(b []byte, order binary.ByteOrder, position int) ([]byte, error) {
	if len(b) < 4 {
		return nil, errShortEWKB
	}
	return skip(b[4:], int(order.Uint32(b)), position)
}

// walkMany skips a count and as many parts. Each part has at least four bytes, which limits the count.
func walkMany(b []byte, order binary.ByteOrder, part func([]byte) ([]byte, error)) ([]byte, error) {
	if len(b) < 4 {
		return nil, errShortEWKB
	}
	n := int(order.Uint32(b))
	b = b[4:]
	if n > len(b)/4 {
		return nil, errShortEWKB
	}
	var err error
	for range n {
		if b, err = part(b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// skip skips n items of size bytes.
func skip(b []byte, n, size int) ([]byte, error) {
	// The product n*size could overflow an int of 32 bits; the division cannot.
	if n > len(b)/size {
		return nil, errShortEWKB
	}
	return b[n*size:], nil
}
