package city

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"onemap/internal/fault"
)

// grid is an ESRI ASCII grid of elevations. west and south are the lon and lat of the south-west corner, dx and dy the
// size of a cell. Units: degrees; elevations in metres, negative below the sea.
type grid struct {
	west, south, dx, dy float64
	rows                [][]float64 // from north to south, each from west to east
}

// readGrid reads an ESRI ASCII grid: lines of a header word and a value, then one line for each row. It ignores header
// words that it does not need. It returns an error if the rows have different lengths or a number is wrong.
func readGrid(path string) (*grid, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "read base data")
	}
	g := &grid{}
	head := map[string]*float64{"xllcorner": &g.west, "yllcorner": &g.south, "dx": &g.dx, "dy": &g.dy}
	for n, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		cells := strings.Fields(line)
		if len(cells) == 2 && strings.Trim(cells[0], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") == "" {
			if to := head[strings.ToLower(cells[0])]; to != nil {
				if *to, err = strconv.ParseFloat(cells[1], 64); err != nil {
					return nil, fmt.Errorf("%s: line %d: %w", path, n+1, err)
				}
			}
			continue
		}
		row := make([]float64, len(cells))
		for i, c := range cells {
			if row[i], err = strconv.ParseFloat(c, 64); err != nil {
				return nil, fmt.Errorf("%s: line %d: %w", path, n+1, err)
			}
		}
		if len(g.rows) > 0 && len(row) != len(g.rows[0]) {
			return nil, fault.New(fault.Invalid, "%s: line %d has %d cells, not %d", path, n+1, len(row), len(g.rows[0]))
		}
		g.rows = append(g.rows, row)
	}
	if len(g.rows) == 0 || g.dx <= 0 || g.dy <= 0 {
		return nil, fault.New(fault.Invalid, "%s: no grid", path)
	}
	return g, nil
}

// at returns the elevation in metres of the cell that contains the point, or of the nearest cell.
func (g *grid) at(p orb.Point) float64 {
	column := int(math.Floor((p[0] - g.west) / g.dx))
	row := len(g.rows) - 1 - int(math.Floor((p[1]-g.south)/g.dy))
	row = min(max(row, 0), len(g.rows)-1)
	return g.rows[row][min(max(column, 0), len(g.rows[row])-1)]
}
