package catalogue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// Style is a style fragment: how the page draws one layer, and the rows of its legend, as JSON in one form: members sorted,
// no spaces, so that equal fragments are equal bytes. Nil is the page's built-in style. docs/data.md describes the members.
type Style json.RawMessage

// MarshalJSON returns the fragment; nil is null.
func (s Style) MarshalJSON() ([]byte, error) {
	if s == nil {
		return []byte("null"), nil
	}
	return s, nil
}

// UnmarshalJSON reads a fragment that was checked when it was stored. Null is nil.
func (s *Style) UnmarshalJSON(raw []byte) error {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	if v == nil {
		*s = nil
		return nil
	}
	sorted, err := encodeStyle(v)
	*s = sorted
	return err
}

// ParseStyle checks a fragment and returns it in its one form. It returns fault.Invalid with the path of what is wrong:
// style.layers[2].paint.fill-color. Whether an expression is one that MapLibre can evaluate is for the page to say.
func ParseStyle(raw []byte) (Style, error) {
	if !utf8.Valid(raw) {
		return nil, fault.InvalidCode("style", CodeStyleJSON)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var read any
	if err := d.Decode(&read); err != nil {
		return nil, fault.InvalidCode("style", CodeStyleJSON)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fault.InvalidCode("style", CodeStyleJSON)
	}
	if err := checkStyle(read); err != nil {
		return nil, err
	}
	var style Style
	if err := style.UnmarshalJSON(raw); err != nil {
		return nil, fault.InvalidCode("style", CodeStyleJSON)
	}
	if n := len(style); n > MaxStyleBytes {
		return nil, fault.InvalidCode("style", CodeStyleSize, n, MaxStyleBytes)
	}
	return style, nil
}

func encodeStyle(v any) (Style, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode the style: %w", err)
	}
	return bytes.TrimRight(out.Bytes(), "\n"), nil
}

// SetStyle gives a layer a style of its own, which is for the whole city, and returns the layer as it is then. raw is the
// fragment as JSON. The errors are those of ChangeLayer; fault.Invalid names the path in the fragment.
func (v *Service) SetStyle(ctx context.Context, p core.Principal, layer string, ifVersion int64, raw []byte) (Layer, error) {
	if err := v.mayChange(ctx, p, layer); err != nil {
		return Layer{}, err
	}
	style, err := ParseStyle(raw)
	if err != nil {
		return Layer{}, err
	}
	return v.changeEntry(ctx, p, layer, ifVersion, func(l Layer) (Layer, error) {
		l.Style = style
		return l, nil
	})
}

// RemoveStyle takes a layer's own style away: the page draws it in the built-in one. The errors are those of ChangeLayer.
func (v *Service) RemoveStyle(ctx context.Context, p core.Principal, layer string, ifVersion int64) (Layer, error) {
	if err := v.mayChange(ctx, p, layer); err != nil {
		return Layer{}, err
	}
	return v.changeEntry(ctx, p, layer, ifVersion, func(l Layer) (Layer, error) {
		l.Style = nil
		return l, nil
	})
}
