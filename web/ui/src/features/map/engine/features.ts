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
