// The state of the form for a layer's tile rules, and the server's rules for it (core.TileRules.Check)
// said while one types. What stands at its default is left out of what is sent.

import type { LayerTileChange } from '@/shared/api/endpoints'
import type { Layer, TileGrid, TileRules } from '@/shared/api/types'
import type { Message } from '@/shared/i18n'

/** A grid that is the default, switched off, or one's own. */
export interface GridForm {
  use: 'default' | 'off' | 'own'
  /** Side of a cell, tile units. */
  cell: number
  /** As typed. */
  toZoom: string
}

export interface TileForm {
  minZoom: string
  maxZoom: string
  inTile: string[]
  severity: string
  simplify: string
  thin: GridForm
  cluster: GridForm
  buffer: string
  source: NonNullable<TileRules['source']>
}

/** Sides that a cell may have: powers of two. */
export const cells = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096]
export const tileDefaults = { simplify: 4, thinCell: 8, clusterCell: 512, buffer: 64 }
const most = { zoom: 22, simplify: 256, buffer: 1024 }

function gridForm(grid: TileGrid | undefined, cell: number, toZoom: number): GridForm {
  if (!grid) return { use: 'default', cell, toZoom: String(toZoom) }
  return grid.cell ? { use: 'own', cell: grid.cell, toZoom: String(grid.to_zoom) } : { use: 'off', cell, toZoom: String(toZoom) }
}

export function tileForm(layer: Layer): TileForm {
  const rules = layer.tile
  return {
    minZoom: String(layer.min_zoom),
    maxZoom: String(layer.max_zoom),
    inTile: (layer.fields ?? []).filter((f) => f.in_tile).map((f) => f.name),
    severity: rules.severity ?? '',
    simplify: rules.simplify === undefined ? '' : String(rules.simplify),
    thin: gridForm(rules.thin, tileDefaults.thinCell, Math.max(0, layer.max_zoom - 1)),
    cluster: gridForm(rules.cluster, tileDefaults.clusterCell, Math.max(0, Math.min(10, layer.max_zoom))),
    buffer: rules.buffer === undefined ? '' : String(rules.buffer),
    source: rules.source ?? '',
  }
}

const whole = (text: string, max: number) => /^\d{1,6}$/.test(text.trim()) && Number(text) <= max

/** What of the form the server would refuse, by the names of its fields. */
export function checkTileForm(form: TileForm): Map<string, Message> {
  const faults = new Map<string, Message>()
  const zoom = (field: string, text: string) => {
    if (!whole(text, most.zoom)) faults.set(field, { key: 'layers.rule.zoomRange' })
  }
  zoom('min_zoom', form.minZoom)
  zoom('max_zoom', form.maxZoom)
  if (!faults.size && Number(form.maxZoom) < Number(form.minZoom)) faults.set('max_zoom', { key: 'layers.rule.zoomOrder' })
  if (form.thin.use === 'own') zoom('thin.to_zoom', form.thin.toZoom)
  if (form.cluster.use === 'own') zoom('cluster.to_zoom', form.cluster.toZoom)
  const simplify = form.simplify.trim()
  if (simplify && !(/^\d{1,3}(\.\d{1,6})?$/.test(simplify) && Number(simplify) <= most.simplify)) {
    faults.set('simplify', { key: 'layers.rule.number', params: { most: most.simplify } })
  }
  if (form.buffer.trim() && !whole(form.buffer, most.buffer)) faults.set('buffer', { key: 'layers.rule.whole', params: { most: most.buffer } })
  return faults
}

function gridOf(form: GridForm): TileGrid | undefined {
  if (form.use === 'default') return undefined
  return form.use === 'off' ? { cell: 0, to_zoom: 0 } : { cell: form.cell, to_zoom: Number(form.toZoom) }
}

/** The rules that a form without faults says. */
export function rulesOf(form: TileForm): TileRules {
  const thin = gridOf(form.thin)
  const cluster = gridOf(form.cluster)
  return {
    ...(form.severity ? { severity: form.severity } : {}),
    ...(form.simplify.trim() ? { simplify: Number(form.simplify) } : {}),
    ...(thin ? { thin } : {}),
    ...(cluster ? { cluster } : {}),
    ...(form.buffer.trim() ? { buffer: Number(form.buffer) } : {}),
    ...(form.source ? { source: form.source } : {}),
  }
}

/** What a form without faults changes of the layer; null is nothing. */
export function changeOf(form: TileForm, layer: Layer): LayerTileChange | null {
  const was = tileForm(layer)
  const rules = rulesOf(form)
  const fields = (names: string[]) => [...names].sort().join()
  const change: LayerTileChange = {
    ...(Number(form.minZoom) !== layer.min_zoom ? { min_zoom: Number(form.minZoom) } : {}),
    ...(Number(form.maxZoom) !== layer.max_zoom ? { max_zoom: Number(form.maxZoom) } : {}),
    ...(JSON.stringify(rules) !== JSON.stringify(rulesOf(was)) ? { tile: rules } : {}),
    ...(fields(form.inTile) !== fields(was.inTile) ? { in_tile: (layer.fields ?? []).map((f) => f.name).filter((n) => form.inTile.includes(n)) } : {}),
  }
  return Object.keys(change).length ? change : null
}

/** The form's field of a fault that the server found: "body.tile.thin.cell" is "thin.cell". */
export const formField = (field: string) => field.replace(/^body\./, '').replace(/^tile\./, '').replace(/\[\d+\]$/, '')
