import { onBeforeUnmount, watch, type ShallowRef } from 'vue'
import { t } from '@/shared/i18n'
import { coordinates } from '@/shared/format/format'
import type { MapController } from './engine/controller'
import { showPin } from './engine/pin'
import { usePrefs } from '@/shared/prefs/prefs'
import { useUi } from '@/shared/workspace/ui'

/** Keeps the pin of the place that was looked for on the map, also on a map that was made anew. */
export function usePin(controller: ShallowRef<MapController | null>) {
  const ui = useUi()
  const prefs = usePrefs()
  let gone = () => {}
  watch([controller, () => ui.pin, () => prefs.language], ([map, pin]) => {
    gone()
    gone = () => {}
    if (!map || !pin) return
    gone = showPin(map.map, pin, { label: coordinates(pin[0], pin[1], 5), close: t('find.unpin') }, () => (ui.pin = null))
  }, { immediate: true })
  onBeforeUnmount(() => gone())
}
