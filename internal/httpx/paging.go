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

// PageInput asks for a page of a list that is long by nature, newest first.
type PageInput struct {
	Limit  int   `query:"limit" minimum:"1" maximum:"500" default:"100"`
	Before int64 `query:"before" minimum:"0" doc:"Only those with a smaller id"`
}

// NewestPage asks for a page of a list that people look at whole, newest first. It is exported because huma reads exported
// fields only, as LoginPage is.
type NewestPage struct {
	Limit  int   `query:"limit" minimum:"1" maximum:"1000" default:"500"`
	Before int64 `query:"before" minimum:"0" doc:"Only those with a smaller id"`
}

// LoginPage asks for a page of a list by logins.
type LoginPage struct {
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"500"`
	After string `query:"after" maxLength:"100" doc:"Only those after this login"`
}

// OnePage asks the store for a page and one more, by which it is known whether another page follows.
func OnePage(limit int, before int64) core.Page { return core.Page{Limit: limit + 1, Before: before} }

// CutPage takes what onePage asked for too much off again, and says where the next page begins.
func CutPage[T any](items []T, limit int, cursor func(T) string) ([]T, string) {
	if len(items) <= limit {
		return OrEmpty(items), ""
	}
	return items[:limit], cursor(items[limit-1])
}

// Paged is a page of a list by ids.
func Paged[T any](items []T, limit int, id func(T) int64) *Body[List[T]] {
	out := List[T]{}
	out.Items, out.Next = CutPage(items, limit, func(v T) string { return strconv.FormatInt(id(v), 10) })
	return &Body[List[T]]{out}
}

// PagedFrom is a page of a list that is in memory, in the order of its keys, after a key.
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

// ByLogin is a page of what has logins.
func ByLogin[T any](all []T, in LoginPage, login func(T) string) *Body[List[T]] {
	return PagedFrom(all, in.After, in.Limit, login, func(s string) string { return s })
}

// Whole is a list that one answer has whole: it is bounded by its nature.
type Whole[T any] struct {
	Items []T `json:"items"`
}

// WholeList is a whole list. It never answers null.
func WholeList[T any](items []T) *Body[Whole[T]] {
	return &Body[Whole[T]]{Whole[T]{Items: OrEmpty(items)}}
}

// OrEmpty returns an empty list for none: an answer never has null for a list.
func OrEmpty[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}
