import { computed, ref } from 'vue'
import type { Insets } from '../map/controller'
import { useUi } from '../stores/ui'

/** What the panels cover of the map, CSS pixels; written by the page's layout. */
export const covered = ref<Insets & { card: number }>({ top: 0, right: 0, bottom: 0, left: 0, card: 0 })

/** How far a panel reaches into the map now, so that a flight ends in the part that can be seen. */
export function useInsets() {
  const ui = useUi()
  return computed<Insets>(() => ({
    top: covered.value.top,
    left: ui.panels.layers ? covered.value.left : 0,
    right: (ui.panels.alerts ? covered.value.right : 0) + (ui.card || ui.picks ? covered.value.card : 0),
    bottom: ui.panels.drawer ? covered.value.bottom : 0,
  }))
}
