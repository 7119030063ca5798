// GeoJSON that the map draws from the stores, made without a map.

import type { Feature as GeoFeature, FeatureCollection, Point, Polygon } from 'geojson'
import type { Alert, Device } from '@/shared/api/types'
import { rank } from '@/shared/format/levels'

export interface DeviceProps {
  id: string
  rank: number
  level: number
  stale: 0 | 1
  /** A silence or a maintenance window covers it. */
  silenced: 0 | 1
  name_zh: string
  name_en: string
}

export function deviceFeatures(devices: Iterable<Device>, stale: (d: Device) => boolean, silenced: (d: Device) => boolean = () => false): FeatureCollection<Point, DeviceProps> {
  const features: GeoFeature<Point, DeviceProps>[] = []
  for (const d of devices) {
    features.push({
      type: 'Feature',
      geometry: { type: 'Point', coordinates: [d.lon, d.lat] },
      properties: { id: d.id, rank: rank(d.level), level: d.level, stale: stale(d) ? 1 : 0, silenced: silenced(d) ? 1 : 0, name_zh: d.name.zh, name_en: d.name.en },
    })
  }
  return { type: 'FeatureCollection', features }
}

/** What of the devices is drawn: while it is the same, so is the picture. */
export function deviceSignature(collection: FeatureCollection<Point, DeviceProps>): string {
  return collection.features.map((f) => `${f.properties.id}${f.properties.level}${f.properties.stale}${f.properties.silenced}`).join()
}

export function alertAreas(alerts: Iterable<Alert>, chosen: number | null): FeatureCollection<Polygon> {
  const features: GeoFeature<Polygon>[] = []
  for (const a of alerts) {
    if (!a.area?.length || (a.detection === 'cleared' && a.id !== chosen)) continue
    features.push({
      type: 'Feature',
      geometry: { type: 'Polygon', coordinates: a.area },
      properties: { id: a.id, level: a.level, chosen: a.id === chosen },
    })
  }
  return { type: 'FeatureCollection', features }
}

/** [west, south, east, north] of any nest of positions, lon before lat; null of none. */
export function boundsOf(coordinates: unknown): [number, number, number, number] | null {
  let box: [number, number, number, number] | null = null
  const walk = (node: unknown) => {
    if (!Array.isArray(node)) return
    if (typeof node[0] === 'number' && typeof node[1] === 'number') {
      const [lon, lat] = node as [number, number]
      box = box
        ? [Math.min(box[0], lon), Math.min(box[1], lat), Math.max(box[2], lon), Math.max(box[3], lat)]
        : [lon, lat, lon, lat]
      return
    }
    node.forEach(walk)
  }
  walk(coordinates)
  return box
}

const earthRadius = 6_371_008.8 // metres, the mean

/** Metres along a great circle between two positions in degrees, by the haversine formula. */
export function distance(a: [number, number], b: [number, number]): number {
  const rad = Math.PI / 180
  const dLat = (b[1] - a[1]) * rad
  const dLon = (b[0] - a[0]) * rad
  const h = Math.sin(dLat / 2) ** 2 + Math.cos(a[1] * rad) * Math.cos(b[1] * rad) * Math.sin(dLon / 2) ** 2
  return 2 * earthRadius * Math.asin(Math.min(1, Math.sqrt(h)))
}
