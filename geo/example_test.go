package geo_test

import (
	"fmt"

	"github.com/paulmach/orb"

	"onemap/geo"
)

// A place from a Chinese map service is converted once, at the import. Points are {lon, lat}.
func ExampleGCJ02ToWGS84() {
	shown := orb.Point{121.45337, 37.46613} // Yantai, as a map service shows it
	p := geo.GCJ02ToWGS84(shown)
	fmt.Printf("%.5f, %.5f\n", p.Lon(), p.Lat())
	fmt.Printf("the map service is off by %.0f m\n", geo.Distance(p, shown))
	// Output:
	// 121.44816, 37.46516
	// the map service is off by 473 m
}

// A frame has a common name or an EPSG code.
func ExampleParseFrame() {
	frame, err := geo.ParseFrame("EPSG:4549")
	if err != nil {
		fmt.Println(err)
		return
	}
	p := frame.ToWGS84(orb.Point{628_000, 4_149_000}) // easting, northing in metres
	fmt.Printf("%s: %.4f, %.4f\n", frame, p.Lon(), p.Lat())
	// Output:
	// epsg:4549: 121.4468, 37.4641
}

// Division codes can have trailing zeros. The program stores them without.
func ExampleParseDivision() {
	for _, s := range []string{"370600000000", "370602", "370602001", "12345"} {
		code, err := geo.ParseDivision(s)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%s: county %q, parent %s\n", code, geo.CountyOfDivision(code), geo.ParentDivision(code))
	}
	// Output:
	// 3706: county "", parent 37
	// 370602: county "370602", parent 3706
	// 370602001: county "370602", parent 370602
	// division: "12345" is no division code: one has 2, 4, 6, 9 or 12 digits
}
