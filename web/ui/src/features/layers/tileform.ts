// The state of the form for a layer's tile rules, and what of it cannot be sent. What stands at its default is left out.

import type { Layer, LayerChange, TileGrid, TileRules } from '@/shared/api/types'
import { numberFault, type Limits } from '@/shared/api/limits'
import { limits } from '@/shared/api/limits.gen'

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
/** What the server takes where nothing is given. Clusters are off by default: theirs is where an own cell begins. */
export const tileDefaults = { simplify: limits.TileRules.simplify.default, thinCell: limits.TileRules.thin.default, clusterCell: 512, buffer: limits.TileRules.buffer.default }

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

/** What of the form cannot be sent, by the names of its fields, in the reader's language. */
export function tileFaults(form: TileForm): Map<string, string> {
  const needed = (l: Limits) => ({ ...l, required: true })
  const toZoom = needed(limits.TileGrid.to_zoom)
  const all: [field: string, fault: string][] = [
    ['min_zoom', numberFault(needed(limits.LayerChange.min_zoom), form.minZoom)],
    ['max_zoom', numberFault(needed(limits.LayerChange.max_zoom), form.maxZoom)],
    ['thin.to_zoom', form.thin.use === 'own' ? numberFault(toZoom, form.thin.toZoom) : ''],
    ['cluster.to_zoom', form.cluster.use === 'own' ? numberFault(toZoom, form.cluster.toZoom) : ''],
    ['simplify', numberFault(limits.TileRules.simplify, form.simplify)],
    ['buffer', numberFault(limits.TileRules.buffer, form.buffer)],
  ]
  return new Map(all.filter(([, fault]) => fault))
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
export function changeOf(form: TileForm, layer: Layer): LayerChange | null {
  const was = tileForm(layer)
  const rules = rulesOf(form)
  const fields = (names: string[]) => [...names].sort().join()
  const change: LayerChange = {
    ...(Number(form.minZoom) !== layer.min_zoom ? { min_zoom: Number(form.minZoom) } : {}),
    ...(Number(form.maxZoom) !== layer.max_zoom ? { max_zoom: Number(form.maxZoom) } : {}),
    ...(JSON.stringify(rules) !== JSON.stringify(rulesOf(was)) ? { tile: rules } : {}),
    ...(fields(form.inTile) !== fields(was.inTile) ? { in_tile: (layer.fields ?? []).map((f) => f.name).filter((n) => form.inTile.includes(n)) } : {}),
  }
  return Object.keys(change).length ? change : null
}

/** The form's field of a fault that the server found: "body.tile.thin.cell" is "thin.cell". */
export const formField = (field: string) => field.replace(/^body\./, '').replace(/^tile\./, '').replace(/\[\d+\]$/, '')
