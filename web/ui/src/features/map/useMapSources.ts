import { useTimeoutFn } from '@vueuse/core'
import { onBeforeUnmount, watch, type Ref, type ShallowRef } from 'vue'
import { useAlerts } from '@/features/alerts/alerts'
import { useSilences } from '@/features/alerts/silences/silences'
import { useDevices } from '@/features/devices/devices'
import { serverNow, useNow } from '@/shared/time/clock'
import { paced } from '@/shared/time/paced'
import type { MapController } from './engine/controller'
import { alertAreas, deviceFeatures, deviceSignature } from './engine/features'
import { empty } from './engine/style'
import { riseWatcher } from './rises'

/** In a burst of alerts the map is drawn a few times, not once for each. */
const burstMs = 300

interface Shown {
  /** The alert whose area is emphasized, also when it is over. */
  alert: () => number | null
  /** What the viewer has chosen. */
  selection: () => GeoJSON.Geometry | null
  /** How often, at most, new readings are drawn, ms. */
  readingsMs: number
}

/** Keeps what a map draws of the stores: devices, the areas of alerts, the selection, and a flash where an alert rose. */
export function useMapSources(controller: ShallowRef<MapController | null>, opened: Ref<boolean>, shown: Shown) {
  const alerts = useAlerts()
  const devices = useDevices()
  const silences = useSilences()
  const now = useNow()

  // Devices: at once when a level changed, otherwise at the pace of readings, and only when the picture would differ.
  let drawn = ''
  const { start, stop: cancel, isPending } = useTimeoutFn(drawDevices, shown.readingsMs, { immediate: false })
  function drawDevices() {
    cancel()
    const data = deviceFeatures(devices.all.values(), devices.stale, (d) => silences.ofDevice(d).length > 0)
    const signature = deviceSignature(data)
    if (signature === drawn) return
    drawn = signature
    controller.value?.setData('devices', data)
  }
  const drawDevicesSoon = () => isPending.value || start()
  const levelsChanged = paced(drawDevices, burstMs)

  const drawAreas = () => controller.value?.setData('alert-areas', alertAreas(alerts.all.values(), shown.alert()))
  const alertsChanged = paced(drawAreas, burstMs)

  function drawSelection() {
    const geometry = shown.selection()
    controller.value?.setData('selection', geometry ? { type: 'FeatureCollection', features: [{ type: 'Feature', geometry, properties: {} }] } : empty)
  }

  watch(() => devices.levelRevision, levelsChanged)
  watch(() => [devices.revision, Math.floor(now.value / 5000)], drawDevicesSoon)
  watch(() => silences.current.map((s) => s.id).join(), drawDevicesSoon)
  watch(() => [...alerts.all.values()], alertsChanged)
  watch(shown.alert, drawAreas)
  watch(shown.selection, drawSelection)
  const risen = riseWatcher()
  watch(() => alerts.loaded && opened.value && [...alerts.all.values()], (all) => {
    if (all) for (const a of risen(all, serverNow())) controller.value?.flash([a.lon, a.lat], a.level)
  }, { immediate: true })
  onBeforeUnmount(() => {
    levelsChanged.stop()
    alertsChanged.stop()
  })

  /** Draws all on a map that is new. */
  return function fill() {
    drawn = ''
    drawDevices()
    drawAreas()
    drawSelection()
  }
}
