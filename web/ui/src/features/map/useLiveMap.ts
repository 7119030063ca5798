import { useTimeoutFn } from '@vueuse/core'
import { onBeforeUnmount, onMounted, ref, shallowRef, type Ref } from 'vue'
import { t } from '@/shared/i18n'
import { exposeDebug } from './debug'
import type { MapController, MapEvents } from './engine/controller'
import { mapLost, mapRebuilding, useWatch } from '@/shared/watch/watch'

/** A context that the browser gives back by itself, as after a driver's reset, is back before this. */
const reportMs = 1000
const rebuildMs = 4000
const longestMs = 60_000

/** What this composable listens to itself. */
export type LifeEvents = Required<Pick<MapEvents, 'ready' | 'lost'>>

/**
 * A map that is there again after the browser lost its graphics context: when the context is not given back within
 * seconds a new map is made in the place of the old one, and again and again until one can be. Meanwhile the
 * watchdog knows. `make` makes a map in an element; `fill` gives a new one what it shows.
 */
export function useLiveMap(host: Ref<HTMLElement | undefined>, make: (at: HTMLElement, events: LifeEvents) => MapController, fill: () => void) {
  const controller = shallowRef<MapController | null>(null)
  const opened = ref(false)
  /** Why there is no map; empty: there is one, or it is being opened. */
  const broken = ref('')
  const watchdog = useWatch()
  /** How long the next rebuilding waits. */
  const wait = ref(rebuildMs)
  let pause = rebuildMs
  const reportSoon = useTimeoutFn(() => watchdog.report('map', mapRebuilding), reportMs, { immediate: false })
  const rebuildSoon = useTimeoutFn(rebuild, wait, { immediate: false })

  function settle() {
    reportSoon.stop()
    rebuildSoon.stop()
  }

  function lost(now: boolean) {
    settle()
    if (!now) return // the style comes back with the context, and with it `ready`
    opened.value = false
    reportSoon.start()
    wait.value = rebuildMs
    rebuildSoon.start()
  }
  function ready() {
    settle()
    pause = rebuildMs
    opened.value = true
    broken.value = ''
    watchdog.report('map', null)
  }

  function close() {
    try {
      controller.value?.remove()
    } catch (error) {
      console.warn('map:', error) // of a map whose context is lost not all can be taken down
    }
    controller.value = null
    opened.value = false
    host.value?.replaceChildren()
  }

  function open(): boolean {
    const at = document.createElement('div')
    Object.assign(at.style, { width: '100%', height: '100%' })
    host.value?.append(at)
    try {
      controller.value = make(at, { ready, lost })
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error)
      broken.value = /webgl/i.test(said) ? t('command.map.webgl') : t('command.map.failed', { detail: said.slice(0, 160) })
      return false
    }
    broken.value = ''
    fill()
    return true
  }

  function rebuild() {
    close()
    if (!open()) watchdog.report('map', mapLost)
    // A new map says when it is ready; one that does not is made anew, too.
    wait.value = pause = Math.min(pause * 2, longestMs)
    rebuildSoon.start()
  }

  onMounted(() => {
    if (open()) exposeDebug(() => controller.value)
  })
  onBeforeUnmount(() => {
    settle()
    close()
    watchdog.report('map', null)
  })
  return { controller, opened, broken }
}
