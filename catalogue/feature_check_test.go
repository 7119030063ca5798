package catalogue

import (
	"testing"

	"github.com/paulmach/orb"
)

// Every orb geometry, the nested ones too, is looked at without a panic; none is no geometry.
func TestEveryGeometryIsChecked(t *testing.T) {
	for _, g := range orb.AllGeometries {
		if err := CheckGeometry(g); g == nil && err == nil {
			t.Error("no geometry is taken for one")
		}
	}
}
