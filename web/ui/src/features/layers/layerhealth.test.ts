import { expect, test } from 'vitest'
import type { LayerState, Text } from '@/shared/api/types'
import { matching, sorted, totals } from './layerhealth'

const health = (layer: string, over: Partial<LayerState> = {}): LayerState => ({
  layer, title: { zh: layer, en: layer.toUpperCase() }, source: 'memory', features: 1, vertices: 1, bytes: 1, catalogue_version: 1,
  load_seconds: 0, changes: 0, lag_seconds: 0, tiles_cached: 0, thinned: 0, undrawn_count: 0, undrawn: [], rules: {}, ...over,
})
const zh = (text: Text) => text.zh
const names = (items: LayerState[]) => items.map((l) => l.layer).join()

test('sorts by a number, a name and a time; equal ones stay by name', () => {
  const all = [health('c', { features: 2, last_change: '2026-01-01T00:00:00Z' }), health('a', { features: 10 }), health('b', { features: 2 })]
  expect(names(sorted(all, { by: 'layer', down: false }, zh))).toBe('a,b,c')
  expect(names(sorted(all, { by: 'features', down: true }, zh))).toBe('a,b,c')
  expect(names(sorted(all, { by: 'features', down: false }, zh))).toBe('b,c,a')
  expect(names(sorted(all, { by: 'change', down: true }, zh))).toBe('c,a,b')
  expect(names(sorted(all, { by: 'lag', down: true }, zh))).toBe('c,a,b') // never changed is no lag of 0
})

test('finds a layer by its name and both titles', () => {
  const all = [health('land', { title: { zh: '陆地', en: 'Land' } }), health('river', { title: { zh: '河流', en: 'Rivers' } })]
  expect(names(matching(all, ' 陆 '))).toBe('land')
  expect(names(matching(all, 'RIV'))).toBe('river')
  expect(names(matching(all, ''))).toBe('land,river')
})

test('sums, and the share of hits', () => {
  expect(totals([health('a', { features: 3, undrawn_count: 2 }), health('b')], { hits: 3, misses: 1 })).toEqual({
    layers: 2, features: 4, vertices: 2, bytes: 2, undrawn: 2, hitRate: 0.75,
  })
  expect(totals([], { hits: 0, misses: 0 }).hitRate).toBeNull()
})
