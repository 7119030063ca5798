// The table of layer health without a table: what is shown of it, and in which order.

import type { LayerState, Text } from '@/shared/api/types'

export const columns = ['layer', 'source', 'features', 'vertices', 'bytes', 'version', 'change', 'lag', 'cached', 'thinned', 'undrawn'] as const
export type Column = (typeof columns)[number]

export interface Sorting {
  by: Column
  down: boolean
}

/** Layers whose name or title holds the words. */
export function matching(items: LayerState[], query: string): LayerState[] {
  const q = query.trim().toLowerCase()
  return items.filter((l) => !q || [l.layer, l.title.zh, l.title.en].some((s) => s.toLowerCase().includes(q)))
}

function valueOf(l: LayerState, by: Column, title: (text: Text) => string): string | number {
  switch (by) {
    case 'layer':
      return title(l.title) || l.layer
    case 'source':
      return l.source
    case 'version':
      return l.catalogue_version
    case 'change':
      return l.last_change ? Date.parse(l.last_change) : 0
    case 'lag':
      return l.last_change ? l.lag_seconds : -1
    case 'cached':
      return l.tiles_cached
    case 'undrawn':
      return l.undrawn_count
    default:
      return l[by]
  }
}

/** In the order asked for; equal ones by name, so that nothing jumps when it is fetched again. */
export function sorted(items: LayerState[], { by, down }: Sorting, title: (text: Text) => string): LayerState[] {
  return [...items].sort((a, b) => {
    const [x, y] = [valueOf(a, by, title), valueOf(b, by, title)]
    const order = typeof x === 'string' ? x.localeCompare(String(y), 'zh-CN') : x - Number(y)
    return (down ? -order : order) || a.layer.localeCompare(b.layer)
  })
}

/** Sums over all layers, and the share of tiles that came from the cache; null before the first. */
export function totals(items: LayerState[], cache: { hits: number; misses: number }) {
  const sum = (of: (l: LayerState) => number) => items.reduce((n, l) => n + of(l), 0)
  const asked = cache.hits + cache.misses
  return {
    layers: items.length,
    features: sum((l) => l.features),
    vertices: sum((l) => l.vertices),
    bytes: sum((l) => l.bytes),
    undrawn: sum((l) => l.undrawn_count),
    hitRate: asked ? cache.hits / asked : null,
  }
}
