import { useTimeoutFn } from '@vueuse/core'
import { nextTick, ref, shallowRef, watch, type Ref, type ShallowRef } from 'vue'
import { ApiError } from '@/shared/api/client'
import * as api from '@/shared/api/endpoints'
import type { MapController } from './engine/controller'
import { boundsOf } from '@/shared/geo/geo'
import { wayOut } from './engine/free'
import { standsAlone } from './engine/style'
import { useAlerts } from '@/features/alerts/alerts'
import { useDevices } from '@/features/devices/devices'
import type { Bounds, LonLat } from '@/shared/geo/geo'
import type { MapCommands, Subject } from '@/shared/map/map'
import { useUi } from '@/shared/workspace/ui'
import { useCovers } from './useCovers'

/** Where something is: bounds are west, south, east, north. */
export interface Place {
  at: [number, number]
  bounds: [number, number, number, number] | null
  zoom: number
  /** Its geometry, of a feature of a layer. */
  geometry?: GeoJSON.Geometry
}

/** A movement to somewhere that is known. */
interface Flight {
  center?: LonLat
  /** Of a center; for bounds the deepest. */
  zoom?: number
  bounds?: Bounds
  /** What an open card covers is not left out. */
  whole?: boolean
}

/** A movement that is still to be made. */
type Goal = { flight: Flight } | { to: Subject; ms: number }

const deviceZoom = 13.2
const flightMs = 900
const retryMs = 4000

/** Waiting for data is no failure: the goal is taken up again when they are there. */
const notYet = Symbol('not yet')

async function alertPlace(id: number): Promise<Place | typeof notYet> {
  const alerts = useAlerts()
  if (!alerts.all.has(id) && !alerts.loaded) return notYet
  // One that is closed, or outside of what is loaded, is asked for.
  const alert = alerts.all.get(id) ?? (await api.alert(id)).alert
  return { at: [alert.lon, alert.lat], bounds: boundsOf(alert.area), zoom: standsAlone }
}

function devicePlace(id: string): Place | typeof notYet | null {
  const devices = useDevices()
  const device = devices.all.get(id)
  if (!device) return devices.loaded ? null : notYet
  return { at: [device.lon, device.lat], bounds: null, zoom: deviceZoom }
}

async function featurePlace(layer: string, id: string): Promise<Place | null> {
  const geometry = (await api.feature(layer, id)).geometry as GeoJSON.Geometry & { coordinates: unknown }
  const box = boundsOf(geometry.coordinates)
  if (!box) return null
  const point = box[0] === box[2] && box[1] === box[3]
  return { at: [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2], bounds: point ? null : box, zoom: deviceZoom, geometry }
}

/** Finds a thing's place; null: there is no such thing. */
async function placeOf(to: Subject): Promise<Place | typeof notYet | null> {
  try {
    if (to.kind === 'alert') return await alertPlace(to.id)
    return to.kind === 'device' ? devicePlace(to.id) : await featurePlace(to.layer, to.id)
  } catch (error) {
    if (error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429) return null
    throw error
  }
}

/**
 * One goal at a time for the map to go to. It waits for what it needs: the map, the data, and the panels whose
 * size says what can be seen. What a card is about is kept from lying under a panel until the viewer moves the map.
 */
export function useGoal(host: Ref<HTMLElement | undefined>, controller: ShallowRef<MapController | null>, ready: Ref<boolean>) {
  const ui = useUi()
  const alerts = useAlerts()
  const devices = useDevices()
  let goal: Goal | null = null
  /** What must not be covered: lon, lat. */
  const held = ref<[number, number] | null>(null)
  const selection = shallowRef<Place | null>(null)
  const { start: retry, stop: cancel } = useTimeoutFn(pursue, retryMs, { immediate: false })
  const { covers, insets } = useCovers(host, () => [ui.card, ui.picks, ui.alertId, ui.wall, ui.panels.layers, ui.panels.alerts, ui.panels.drawer], uncover)

  function uncover() {
    const map = controller.value
    if (!held.value || !ready.value || goal || !map || !host.value || map.map.isMoving()) return
    const { clientWidth: width, clientHeight: height } = host.value
    const at = map.map.project(held.value)
    if (at.x < 0 || at.y < 0 || at.x > width || at.y > height) return // the viewer's own view does not show it
    const way = wayOut(at, width, height, covers())
    if (Math.hypot(...way) >= 1) map.nudge(way)
  }

  function go(map: MapController, place: Place, ms: number) {
    if (place.bounds) map.fit(place.bounds, insets(), { ms, least: ui.card?.kind === 'feature' ? 0 : standsAlone, most: Math.max(standsAlone + 0.5, place.zoom) })
    else map.flyTo(place.at, place.zoom, insets(), ms)
  }

  function fly(map: MapController, { bounds, center, zoom, whole }: Flight) {
    const room = insets(whole ? 'card' : '')
    if (bounds) map.fit(bounds, room, { most: zoom })
    else if (center) map.flyTo(center, zoom, room)
  }

  async function pursue() {
    cancel()
    const mine = goal
    if (!mine || !ready.value) return
    let place: Place | null = null
    if ('to' in mine) {
      const found = await placeOf(mine.to).catch(() => undefined)
      if (goal !== mine || found === notYet) return
      if (found === undefined) {
        retry() // the server was not reached
        return
      }
      place = found
    }
    await nextTick() // panels that came with the goal are there now
    const map = controller.value
    if (goal !== mine || !map || !ready.value) return
    goal = null
    if (!('to' in mine)) {
      held.value = mine.flight.whole ? null : (mine.flight.center ?? held.value)
      fly(map, mine.flight)
    } else if (place) {
      held.value = place.at
      go(map, place, mine.ms)
    }
  }

  /** Marks what the card is about, and keeps it in sight. */
  async function select() {
    const card = ui.card
    const place = card ? await placeOf(card).catch(() => null) : null
    if (ui.card !== card) return
    selection.value = place === notYet ? null : place
    if (selection.value) held.value = selection.value.at
    await nextTick()
    uncover()
  }

  /** What the page was opened with. A link with a view of its own keeps it. */
  function start() {
    const to: Subject | null = ui.card ?? (ui.alertId === null ? null : { kind: 'alert', id: ui.alertId })
    if (!to) return
    if (!ui.view) goal = { to, ms: 0 }
    else if (to.kind === 'alert') void placeOf(to).then((place) => place && place !== notYet && (held.value ??= place.at), () => undefined)
  }

  function want(next: Goal) {
    goal = next
    void pursue()
  }
  const commands: Pick<MapCommands, 'flyTo' | 'fit' | 'reveal'> = {
    flyTo: (center, zoom) => want({ flight: { center, zoom } }),
    fit: (bounds, { most, whole } = {}) => want({ flight: { bounds, zoom: most, whole } }),
    reveal: (to) => want({ to, ms: flightMs }),
  }

  start()
  watch([ready, () => alerts.loaded, () => devices.loaded], () => void pursue())
  watch(() => ui.card, (card) => card || (held.value = null))
  watch([() => ui.card, () => devices.loaded], () => void select(), { immediate: true })

  /** The viewer moved the map by hand: what they see now is what they want to see. */
  function taken() {
    held.value = null
    goal = null
  }
  return { commands, insets, selection, taken, rested: uncover }
}
