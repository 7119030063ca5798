// Package shape holds geometry as tiles need it, in whole numbers, and cuts it into tiles as the
// geometry commands of a Mapbox Vector Tile 2.1.
//
// World coordinates are uint32: x from 180°W eastwards, y from 85.0511°N southwards, over the square
// of Web Mercator, whose side is 2^32 (a unit is 9.3 mm at the equator). Tile units are 1/4096 of a
// tile's side. At zoom 20 the two are one.
//
// What happens once, in New: the geometry is projected, split by kind, cut off at the edge of the map, and each vertex
// of a line or a ring gets its importance: the tolerance at which Douglas and Peucker's method drops it. Each ring of a
// polygon is put in the direction that MVT demands.
//
// What happens for each tile, in a Cutter: vertices below the tolerance of the zoom are skipped, what lies outside of the
// view is clipped, coordinates are rounded to tile units, and rings that have become unsound by that (they touch or
// cross themselves) are mended.
//
// A Shape is made once, by New, and is read by any number of goroutines. A Cutter belongs to one
// goroutine. What is cut depends on nothing but the shape and the view.
package shape
