// Package shape stores geometry in integer coordinates and cuts it into tiles, as geometry commands of Mapbox Vector
// Tile 2.1 (MVT).
//
// World coordinates are uint32 over the square of Web Mercator, whose side is 2^32: x from 180°W to the east, y from
// 85.0511°N to the south. One unit is 9.3 mm at the equator. A tile unit is 1/4096 of the side of a tile. At zoom 20 a
// tile unit is a world unit.
//
// New does the work that is needed once: it projects the geometry, splits it by kind, cuts it at the edge of the map,
// and computes the importance of each vertex of a line or ring, which is the tolerance at which the algorithm of
// Douglas and Peucker drops the vertex. It gives each ring of a polygon the direction that MVT requires.
//
// A Cutter does the work for each tile: it skips vertices below the tolerance of the zoom, rounds coordinates to tile
// units, clips at the view, and repairs rings that touch or cross themselves as a result.
//
// A Shape does not change after New, so any number of goroutines may read it. A Cutter belongs to one goroutine. Its
// output depends only on the shape and the view.
package shape
