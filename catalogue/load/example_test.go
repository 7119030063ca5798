package load_test

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"onemap/catalogue/load"
	"onemap/geo"
)

// A table is read row by row. A row that is wrong is refused with its line, and the rest goes on.
func ExampleOpen() {
	const file = `编号,名称,经度,纬度,床位
h-1,演示医院一,121.39,37.53,1800
h-2,演示医院二,120.71,136.98,900
h-3,演示医院三,120.33,37.65,1100
`
	r, err := load.Open(strings.NewReader(file), load.Options{KeyField: "编号"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for {
		record, refusal, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			fmt.Println(err)
			return
		case refusal != nil:
			fmt.Printf("line %d is refused: %s\n", refusal.Line, refusal.Reason)
		default:
			f := record.Feature
			fmt.Println(f.Key, f.Name.ZH, f.Geometry, f.Properties["床位"])
		}
	}
	// Output:
	// h-1 演示医院一 [121.39 37.53] 1800
	// line 3 is refused: lat: 136.98 is outside -90 to 90
	// h-3 演示医院三 [120.33 37.65] 1100
}

// Coordinates of a Chinese map service are converted while they are read.
func ExampleOpen_frame() {
	const file = `{"type":"FeatureCollection","features":[
		{"type":"Feature","id":7,"properties":{"name":"演示灯塔"},"geometry":{"type":"Point","coordinates":[121.39939,37.54936]}}]}`
	r, err := load.Open(strings.NewReader(file), load.Options{Frame: geo.FrameGCJ02})
	if err != nil {
		fmt.Println(err)
		return
	}
	record, _, err := r.Next()
	if err != nil {
		fmt.Println(err)
		return
	}
	p, _ := geo.PointOn(record.Feature.Geometry)
	fmt.Printf("%s %s %.4f, %.4f\n", record.Feature.Key, record.Feature.Name.ZH, p.Lon(), p.Lat())
	// Output:
	// 7 演示灯塔 121.3941, 37.5483
}
