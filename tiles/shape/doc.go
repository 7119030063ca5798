// Package shape holds geometry as tiles need it, in whole numbers, and cuts it into tiles as the
// geometry commands of a Mapbox Vector Tile 2.1.
//
// World coordinates are uint32: x from 180°W eastwards, y from 85.0511°N southwards, over the square
// of Web Mercator, whose side is 2^32 (a unit is 9.3 mm at the equator). Tile units are 1/4096 of a
// tile's side. At zoom 20 the two are one.
//
// A Shape is made once, by New, and is read by any number of goroutines. A Cutter belongs to one
// goroutine. What is cut depends on nothing but the shape and the view.
package shape
