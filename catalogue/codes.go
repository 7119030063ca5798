package catalogue

import "onemap/internal/fault"

// The codes of layers and their fields.
const (
	CodeZoomRange     fault.Code = "zoom-range: the zooms {from} to {to} are no range within 0 to {limit}"
	CodeNoNumberField fault.Code = `no-number-field: "{value}" is no field of numbers`
	CodeNoField       fault.Code = `no-field: the layer has no field "{value}"`
	CodeNamedTwice    fault.Code = `named-twice: "{value}" is there twice`
)

// The codes of style fragments. The field of the fault is the path in the fragment: style.layers[2].paint.fill-color.
const (
	CodeStyleJSON        fault.Code = "style-json: is not a JSON document in UTF-8"
	CodeStyleSize        fault.Code = "style-size: has {n} bytes, the limit is {limit}"
	CodeStyleDepth       fault.Code = "style-depth: is nested deeper than {limit}"
	CodeStyleObject      fault.Code = "style-object: must be an object, not {found}"
	CodeStyleList        fault.Code = "style-list: must be a list, not {found}"
	CodeStyleString      fault.Code = "style-string: must be a string, not {found}"
	CodeStyleNumber      fault.Code = "style-number: must be a number, not {found}"
	CodeStyleTrue        fault.Code = "style-true: must be true or left out"
	CodeStyleCount       fault.Code = "style-count: has {n} items, must have {from} to {to}"
	CodeStyleMember      fault.Code = "style-member: is not a known member here"
	CodeStyleWord        fault.Code = `style-word: "{value}" is none of {words}`
	CodeStyleID          fault.Code = "style-id: must be a hyphen and then 1 to {limit} of a-z, 0-9 and hyphens"
	CodeStylePlaceholder fault.Code = "style-placeholder: a placeholder is an object with one member: $token, $scale, $opacity, $icon or $name"
	CodeStyleToken       fault.Code = `style-token: unknown token "{value}"`
	CodeStyleIcon        fault.Code = `style-icon: unknown icon "{value}"`
	CodeStyleImage       fault.Code = "style-image: must be an icon of the map ($icon) or an expression"
	CodeStyleFont        fault.Code = `style-font: must be a list with the one font "{value}"`
	CodeStyleProperty    fault.Code = "style-property: is not a {part} property of a {kind} layer"
	CodeStyleAddress     fault.Code = "style-address: must not contain an address"
	CodeStyleLegend      fault.Code = "style-legend: must have exactly one of levels, icon, swatch and note"
	CodeStyleText        fault.Code = "style-text: must have a text in Chinese or in English"
)
