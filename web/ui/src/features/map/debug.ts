// A window into the page for tests and support: it shows, and changes nothing.

import type { MapController } from './engine/controller'
import { useAlerts } from '@/features/alerts/alerts'
import { useDevices } from '@/features/devices/devices'
import { useLive } from '@/shared/live/live'

export interface OnemapDebug {
  readonly mapReady: boolean
  /** Devices and clusters on the screen now; rank 1 is red, 9 is none. */
  readonly renderedDevices: Record<string, unknown>[]
  /** What of a catalogue layer is drawn now, with its place where it is a point; and what the tiles hold. */
  renderedFeatures(layer: string): ReturnType<MapController['renderedFeatures']>
  heldFeatures(layer: string): ReturnType<MapController['heldFeatures']>
  /** What a style layer of the map is painted with; undefined when there is no such layer. */
  paint(styleLayer: string, property: string): unknown
  readonly live: { status: string; badParts: string[] }
  readonly view: { zoom: number; center: [number, number] } | null
  /** Where lon, lat are drawn now: x, y in CSS pixels from the map's top left. */
  project(at: [number, number]): [number, number] | null
  deviceLevel(id: string): number | undefined
  alert(id: number): unknown
}

/** Puts the read-only state on window.__onemap. */
export function exposeDebug(controller: () => MapController | null): void {
  const live = useLive()
  const devices = useDevices()
  const alerts = useAlerts()
  const debug: OnemapDebug = {
    get mapReady() {
      const c = controller()
      return c !== null && c.drawn
    },
    get renderedDevices() {
      return controller()?.renderedDevices() ?? []
    },
    get live() {
      return { status: live.status, badParts: live.badParts.map((p) => p.part) }
    },
    get view() {
      const map = controller()?.map
      return map ? { zoom: map.getZoom(), center: map.getCenter().toArray() as [number, number] } : null
    },
    project: (at) => {
      const p = controller()?.map.project(at)
      return p ? [p.x, p.y] : null
    },
    renderedFeatures: (layer) => controller()?.renderedFeatures(layer) ?? [],
    heldFeatures: (layer) => controller()?.heldFeatures(layer) ?? [],
    paint: (styleLayer, property) => {
      const map = controller()?.map
      return map?.getLayer(styleLayer) ? map.getPaintProperty(styleLayer, property as never) : undefined
    },
    deviceLevel: (id) => devices.all.get(id)?.level,
    alert: (id) => {
      const found = alerts.all.get(id)
      return found ? structuredClone(found) : undefined
    },
  }
  Object.defineProperty(window, '__onemap', { value: Object.freeze(debug), configurable: true })
}
