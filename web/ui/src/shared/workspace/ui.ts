import { defineStore } from 'pinia'
import { computed, reactive, ref, shallowRef } from 'vue'
import type { Level, Text } from '@/shared/api/types'
import type { LonLat } from '@/shared/geo/geo'
import { useMap, type Subject } from '@/shared/map/map'

/** What the card shows. */
export type Card = Exclude<Subject, { kind: 'alert' }>

/** The lower drawer: its tab, the time range of its charts, and what its table shows. */
export interface DrawerState {
  tab: 'charts' | 'table'
  hours: number
  /** A range of one's own, as two local times of the city; null: the last hours. */
  own: { from: string; to: string } | null
  which: 'firing' | 'offline' | 'all'
  query: string
}

export const plainDrawer = (): DrawerState => ({ tab: 'charts', hours: 6, own: null, which: 'firing', query: '' })

/** One of several things under the pointer. */
export interface Pick {
  kind: 'device' | 'feature' | 'alert'
  layer?: string
  id: string
  name: Text
  level: Level
  /** Where it stands for others beside it that the tile does not show: lon, lat. */
  at?: [number, number]
}

/** What is open, chosen and folded on the command page. */
export const useUi = defineStore('ui', () => {
  const panels = reactive({ layers: true, alerts: true, drawer: false })
  const alertId = ref<number | null>(null)
  /** A handling step of the open alert is being written: others are told. */
  const acting = ref(false)
  /** Alerts of the list that a bulk step is meant for; null while none are being chosen. */
  const chosen = shallowRef<ReadonlySet<number> | null>(null)
  const card = ref<Card | null>(null)
  const picks = shallowRef<Pick[] | null>(null)
  /** How many devices are in view, when picks are a list of them; 0: picks are what was clicked. */
  const inView = ref(0)
  /** A place that was looked for; its pin stays until it is closed. */
  const pin = shallowRef<LonLat | null>(null)
  const drawer = ref<DrawerState>(plainDrawer())
  const help = ref(false)
  const searching = ref(false)
  const measuring = ref(false)
  const wall = ref(false)
  /** The preview of the printed sheet is open; the browser is printing. */
  const sheet = ref(false)
  const printing = ref(false)
  const onPaper = computed(() => sheet.value || printing.value)
  const pointer = shallowRef<[number, number] | null>(null)
  const view = shallowRef<{ zoom: number; lon: number; lat: number } | null>(null)

  function openCard(next: Card | null) {
    picks.value = null
    card.value = next
  }

  function openAlert(id: number | null) {
    picks.value = null
    if (id !== null && id !== alertId.value) useMap().reveal({ kind: 'alert', id })
    alertId.value = id
    if (id !== null) panels.alerts = true
  }

  /** Ends the wall, and closes the alert that its tour shows. */
  function leaveWall() {
    wall.value = false
    alertId.value = null
  }

  /** Closes the top thing; tells whether there was one. */
  function escape(): boolean {
    if (sheet.value) sheet.value = false
    else if (help.value) help.value = false
    else if (searching.value) searching.value = false
    else if (wall.value) leaveWall() // before what the wall itself has opened
    else if (measuring.value) measuring.value = false
    else if (picks.value) picks.value = null
    else if (card.value) card.value = null
    else if (chosen.value) chosen.value = null
    else if (alertId.value !== null) alertId.value = null
    else if (panels.drawer) panels.drawer = false
    else return false
    return true
  }

  const selectedKey = computed(() => (card.value ? `${card.value.kind}:${card.value.id}` : ''))

  return { panels, alertId, acting, chosen, card, picks, help, searching, measuring, wall, sheet, printing, onPaper, pointer, view, selectedKey, openCard, openAlert, escape, pin, drawer, leaveWall, inView }
})
