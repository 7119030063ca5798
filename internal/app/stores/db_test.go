package stores_test

import (
	"testing"

	"onemap/internal/app/stores/storetest"
)

func TestEpochDiffersBetweenClones(t *testing.T) {
	a, b := storetest.NewDB(t), storetest.NewDB(t)
	ea, err := a.Log().Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again, err := a.Log().Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	eb, err := b.Log().Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if ea != again || ea == eb || ea == "" {
		t.Errorf("epochs: %q, then %q; of a clone %q", ea, again, eb)
	}
}
