// What is under a point of the map, in the page's words.

import type { Map as MapLibre, MapGeoJSONFeature, Point } from 'maplibre-gl'
import type { Point as Point_ } from 'geojson'
import type { Level } from '../api/types'
import type { Pick } from '../stores/ui'

export interface ClusterHit {
  source: string
  id: number
  at: [number, number]
  toPick: (properties: Record<string, unknown>) => Pick
}

const reach = 5 // pixels around the pointer

function toPick(source: string, layer: string, p: Record<string, unknown>, id: unknown): Pick {
  const name = { zh: String(p.name_zh ?? ''), en: String(p.name_en ?? '') }
  const level = (Number(p.level) || 0) as Level
  if (source === 'devices') return { kind: 'device', id: String(p.id), name, level }
  if (source === 'alert-areas') return { kind: 'alert', id: String(p.id), name, level }
  return { kind: 'feature', layer, id: String(id ?? p.id ?? ''), name, level }
}

// The ground is not a thing to choose: a click on land is a click on nothing.
const ground = /^(sea|land|land_surroundings|urban|coast-line|county-line|sea-label|river-line|river-label|town-label|place-label|selection-.*|measure-.*|alert-area-line)$/

/** Things under a point, points before areas, each once; or the cluster on top. */
export function pickAt(map: MapLibre, at: Point): { picks: Pick[]; cluster: ClusterHit | null } {
  const box: [[number, number], [number, number]] = [
    [at.x - reach, at.y - reach],
    [at.x + reach, at.y + reach],
  ]
  const found = map.queryRenderedFeatures(box).filter((f) => !ground.test(f.layer.id))
  const layerOf = (f: MapGeoJSONFeature) => f.sourceLayer ?? f.source.replace(/^points-/, '')
  const points = found.filter((f) => f.geometry.type === 'Point')
  const top = points[0]
  if (top?.properties.cluster === true || top?.properties.point_count) {
    const { source } = top
    const layer = layerOf(top)
    return {
      picks: [],
      cluster: {
        source,
        id: Number(top.properties.cluster_id),
        at: (top.geometry as Point_).coordinates as [number, number],
        toPick: (p) => toPick(source, layer, p, p.id),
      },
    }
  }
  const chosen = (points.length ? points : found).filter((f) => !f.properties.point_count)
  const picks = new Map<string, Pick>()
  for (const f of chosen) {
    const pick = toPick(f.source, layerOf(f), f.properties, f.id)
    if (pick.id) picks.set(`${pick.kind}:${pick.layer ?? ''}:${pick.id}`, pick)
  }
  return { picks: [...picks.values()], cluster: null }
}
