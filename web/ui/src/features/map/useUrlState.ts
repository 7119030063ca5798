import { onBeforeUnmount, watch } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import { keepLink } from '@/shared/nav/keeplink'
import { readUrl, writeUrl, type UrlState } from './urlstate'
import { useAlerts } from '@/features/alerts/alerts'
import { decodeSettings, encodeSettings, useLayers } from '@/features/layers/layers'
import { usePrefs } from '@/shared/prefs/prefs'
import { useUi } from '@/shared/workspace/ui'

/** Takes the page's state from the link, and keeps the link at the state, so that a reload loses nothing. */
export function useUrlState() {
  const route = useRoute()
  const router = useRouter()
  const ui = useUi()
  const prefs = usePrefs()
  const layers = useLayers()
  const alerts = useAlerts()

  const from = readUrl(route.query)
  if (from.view) ui.view = from.view
  layers.settings = decodeSettings(from.layers)
  alerts.filter = { ...alerts.filter, ...from.filter }
  ui.wall = from.wall
  ui.card = from.card
  ui.alertId = from.alert
  ui.pin = from.pin
  ui.drawer = from.drawer
  if (from.panels !== null) {
    ui.panels.layers = from.panels.includes('l')
    ui.panels.alerts = from.panels.includes('a')
    ui.panels.drawer = from.panels.includes('t')
  }

  const state = (): UrlState => ({
    view: ui.view,
    layers: encodeSettings(layers.settings),
    alert: ui.alertId,
    card: ui.card,
    pin: ui.pin,
    filter: alerts.filter,
    drawer: ui.drawer,
    link: prefs.link,
    wall: ui.wall,
    panels: `${ui.panels.layers ? 'l' : ''}${ui.panels.alerts ? 'a' : ''}${ui.panels.drawer ? 't' : ''}`,
  })

  const link = keepLink(router, 'command', () => writeUrl(state()))
  watch(() => JSON.stringify(writeUrl(state())), link.changed)
  onBeforeUnmount(link.stop)
}
