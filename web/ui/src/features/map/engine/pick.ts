// What is under a point of the map, in the page's words.

import type { Map as MapLibre, MapGeoJSONFeature, Point } from 'maplibre-gl'
import type { Point as Point_ } from 'geojson'
import type { Level } from '@/shared/api/types'
import type { Pick } from '@/shared/workspace/ui'

/** Several points drawn as one. */
export interface ClusterHit {
  at: [number, number]
  /** Of a source that clusters here: which one, and the source can say what is in it. A tile's is only zoomed into. */
  here?: { source: string; id: number }
}

const reach = 5 // pixels around the pointer

/** A feature of the map as something to choose. */
export function toPick(source: string, layer: string, p: Record<string, unknown>, id: unknown): Pick {
  const name = { zh: String(p.name_zh ?? ''), en: String(p.name_en ?? '') }
  const level = (Number(p.level) || 0) as Level
  if (source === 'devices') return { kind: 'device', id: String(p.id), name, level }
  if (source === 'alert-areas') return { kind: 'alert', id: String(p.id), name, level }
  return { kind: 'feature', layer, id: String(id ?? ''), name, level }
}

// The ground is not a thing to choose: a click on land is a click on nothing.
const ground = /^(sea|land|land_surroundings|urban|coast-line|county-line|sea-label|river-line|river-label|town-label|place-label|selection-.*|measure-.*|alert-area-line)$/

/** What of a feature tells whether it is a cluster. */
export type Hit = { source: string; id?: number | string; properties: Record<string, unknown>; geometry: { type: string } }

/** The cluster that a feature is, if it is one: of the client's own making, or of a tile's. */
export function clusterOf(f: Hit): ClusterHit | null {
  if (f.geometry.type !== 'Point') return null
  const at = (f.geometry as Point_).coordinates as [number, number]
  if (f.properties.point_count) return { at, here: { source: f.source, id: Number(f.properties.cluster_id) } }
  return f.properties.count !== undefined && f.id === undefined ? { at } : null
}

/** Things under a point, points before areas, each once; or the cluster on top. */
export function pickAt(map: MapLibre, at: Point): { picks: Pick[]; cluster: ClusterHit | null } {
  const box: [[number, number], [number, number]] = [
    [at.x - reach, at.y - reach],
    [at.x + reach, at.y + reach],
  ]
  const found = map.queryRenderedFeatures(box).filter((f) => !ground.test(f.layer.id))
  const points = found.filter((f) => f.geometry.type === 'Point')
  const cluster = points[0] ? clusterOf(points[0]) : null
  if (cluster) return { picks: [], cluster }
  const picks = new Map<string, Pick>()
  for (const f of points.length ? points : found) {
    if (clusterOf(f)) continue
    const pick = toPick(f.source, layerOf(f), f.properties, f.id)
    if (pick.kind === 'feature' && Number(f.properties.count) > 1) pick.at = (f.geometry as Point_).coordinates as [number, number]
    if (pick.id) picks.set(`${pick.kind}:${pick.layer ?? ''}:${pick.id}`, pick)
  }
  return { picks: [...picks.values()], cluster: null }
}

// An area's name is the area.
const layerOf = (f: MapGeoJSONFeature) => (f.sourceLayer ?? f.source).replace(/\.label$/, '')
