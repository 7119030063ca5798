package httpx

import (
	"cmp"
	"slices"
	"strconv"

	"onemap/internal/core"
)

// List is a page of a list.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"More follow: ask again with the parameter before, or after where the list has that, set to this"`
}

// PageInput selects a page of a list that can be very long, newest first.
type PageInput struct {
	Limit  int   `query:"limit" minimum:"1" maximum:"500" default:"100"`
	Before int64 `query:"before" minimum:"0" doc:"Only those with a smaller id"`
}

// NewestPage selects a page of a list that people usually read as a whole, newest first. NewestPage and LoginPage are
// exported because huma reads only exported fields of embedded structs.
type NewestPage struct {
	Limit  int   `query:"limit" minimum:"1" maximum:"1000" default:"500"`
	Before int64 `query:"before" minimum:"0" doc:"Only those with a smaller id"`
}

// LoginPage selects a page of a list that is ordered by logins.
type LoginPage struct {
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"500"`
	After string `query:"after" maxLength:"100" doc:"Only those after this login"`
}

// OnePage returns the page for the store with one item more. The additional item shows whether another page follows.
func OnePage(limit int, before int64) core.Page { return core.Page{Limit: limit + 1, Before: before} }

// CutPage removes the additional item that OnePage requested. It returns the cursor of the next page, or "" if there is none.
func CutPage[T any](items []T, limit int, cursor func(T) string) ([]T, string) {
	if len(items) <= limit {
		return OrEmpty(items), ""
	}
	return items[:limit], cursor(items[limit-1])
}

// Paged returns a page of a list that is ordered by ids.
func Paged[T any](items []T, limit int, id func(T) int64) *Body[List[T]] {
	out := List[T]{}
	out.Items, out.Next = CutPage(items, limit, func(v T) string { return strconv.FormatInt(id(v), 10) })
	return &Body[List[T]]{out}
}

// PagedFrom returns the page after a key, of a list that is in memory. It sorts the list by its keys.
func PagedFrom[T any, K cmp.Ordered](all []T, after K, limit int, key func(T) K, cursor func(K) string) *Body[List[T]] {
	slices.SortFunc(all, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
	from, there := slices.BinarySearchFunc(all, after, func(v T, k K) int { return cmp.Compare(key(v), k) })
	if there {
		from++
	}
	out := List[T]{}
	out.Items, out.Next = CutPage(all[from:], limit, func(v T) string { return cursor(key(v)) })
	return &Body[List[T]]{out}
}

// ByLogin returns a page of a list that is ordered by logins.
func ByLogin[T any](all []T, in LoginPage, login func(T) string) *Body[List[T]] {
	return PagedFrom(all, in.After, in.Limit, login, func(s string) string { return s })
}

// Whole is a list without pages, because it is always short.
type Whole[T any] struct {
	Items []T `json:"items"`
}

// WholeList returns a list without pages. The list is never null in JSON.
func WholeList[T any](items []T) *Body[Whole[T]] {
	return &Body[Whole[T]]{Whole[T]{Items: OrEmpty(items)}}
}

// OrEmpty returns an empty list for nil, so that a list is never null in JSON.
func OrEmpty[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}
