import { useEventListener } from '@vueuse/core'
import { onBeforeUnmount, watch, type ShallowRef } from 'vue'
import type { Insets, MapController } from './engine/controller'
import { usePrefs } from '@/shared/prefs/prefs'
import { useUi } from '@/shared/workspace/ui'

/**
 * Brings the map to paper and back: in the preview of the page, and when the browser prints without one. The
 * browser takes its picture as soon as the event `beforeprint` has been handled, before a new style or new tiles
 * could be drawn: it gets what is loaded, and a dark picture with its colours turned. Until all is drawn, data-sheet
 * is late and the sheet says so; then it is ready.
 */
export function useSheet(controller: ShallowRef<MapController | null>, insets: () => Insets, restyle: () => void) {
  const ui = useUi()
  const root = document.documentElement
  const prefs = usePrefs()
  let back: (() => void) | null = null
  let atOnce = false

  function enter() {
    const map = controller.value
    const seen = insets()
    const drawn = map?.drawn ?? false
    root.dataset.sheet = atOnce && drawn ? 'ready' : 'late'
    if (!atOnce) restyle()
    else if (prefs.theme === 'dark') root.dataset.sheetTurned = '' // a new style would draw nothing yet
    if (!map) return
    const undo = map.toPaper(seen, atOnce)
    const forget = map.onceDrawn(() => ui.onPaper && (root.dataset.sheet = 'ready'))
    back = () => {
      forget()
      if (controller.value === map) undo() // one that was rebuilt meanwhile has the screen's size already
    }
  }
  function leave() {
    delete root.dataset.sheet
    delete root.dataset.sheetTurned
    back?.()
    back = null
    restyle()
  }

  watch(() => ui.onPaper, (on) => (on ? enter() : leave()), { flush: 'sync' })

  useEventListener(window, 'beforeprint', () => {
    atOnce = true
    ui.printing = true
  })
  useEventListener(window, 'afterprint', () => {
    ui.printing = false
    atOnce = false
  })
  // The media may become print without a print command, as in a browser's tools: there is time then.
  useEventListener(matchMedia('print'), 'change', (event: MediaQueryListEvent) => atOnce || (ui.printing = event.matches))
  useEventListener(window, 'keydown', (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || event.key.toLowerCase() !== 'p' || ui.sheet) return
    event.preventDefault()
    ui.sheet = true
  })
  onBeforeUnmount(() => {
    ui.sheet = ui.printing = false
  })
}
