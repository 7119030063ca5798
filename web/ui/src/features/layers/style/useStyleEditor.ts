import { computed, reactive, ref, shallowRef } from 'vue'
import * as api from '@/shared/api/endpoints'
import { fieldFaults, standsAtFields } from '@/shared/api/problems'
import type { Layer } from '@/shared/api/types'
import { t } from '@/shared/i18n'
import type { LayerStyle } from './fragment'
import { kindOf, plainStyle, simpleFragment, simpleOf } from './simple'

export type Tab = 'simple' | 'json'

/** A fault of the fragment with its path. The words are in the reader's language, but for what MapLibre says. */
export interface PathFault {
  path: string
  text: string
}

const pretty = (value: unknown) => JSON.stringify(value, null, 2)

interface Read {
  /** Whatever the text is. */
  value?: unknown
  /** The same, when it has a list of objects as its layers. */
  style?: LayerStyle
  /** Why it is no JSON. */
  fault?: string
}

function readText(text: string): Read {
  try {
    const value = JSON.parse(text) as LayerStyle | null
    const formed = Array.isArray(value?.layers) && value.layers.every((part) => part !== null && typeof part === 'object')
    return { value, style: formed ? value : undefined }
  } catch (cause) {
    return { fault: cause instanceof Error ? cause.message : String(cause) }
  }
}

/** What MapLibre says of a fragment. Of what it cannot look at, the server says what is wrong. */
async function mapFaults(style: LayerStyle | undefined): Promise<PathFault[]> {
  if (!style) return []
  const { styleFaults } = await import('./check')
  try {
    return styleFaults(style).map(({ path, detail }) => ({ path, text: t('layers.style.noDrawing', { detail }) }))
  } catch {
    return []
  }
}

/** The state of the editor of one layer's style: the simple form, or the text of the fragment. */
export function useStyleEditor(layer: Layer, done: () => void) {
  const kind = kindOf(layer.geometry_type)
  const own = layer.style as LayerStyle | undefined
  const found = kind && own && simpleOf(own, kind, layer.title)
  const form = kind && reactive(found ?? plainStyle(kind, layer.title))
  const formText = () => (form ? pretty(simpleFragment(form)) : '')

  const shown = ref<Tab>(form && (found || !own) ? 'simple' : 'json')
  const text = ref(own ? pretty(own) : form ? formText() : '{\n  "layers": []\n}')
  /** The form cannot say what the text does: stored from it, the fragment is another. */
  const lossy = ref(false)
  const busy = ref(false)
  const error = ref<unknown>(null)
  const faults = shallowRef<PathFault[]>([])
  let opened = formText() // what the form said when its tab was opened

  const read = computed<Read>(() => {
    if (shown.value === 'json' || !form) return readText(text.value)
    const style = simpleFragment(form)
    return { value: style, style }
  })
  /** Whether what is wrong stands elsewhere than in the fragment. */
  const elsewhere = computed(() => error.value !== null && !standsAtFields(error.value, (field) => field.startsWith('style')))

  function forget() {
    error.value = null
    faults.value = []
  }

  // What is said in one tab is said in the other, but for a text that the form cannot say: it stays until the form is changed.
  function show(next: Tab) {
    if (next === shown.value || !form || !kind) return
    if (next === 'json') {
      if (formText() !== opened) text.value = formText()
    } else {
      const { style } = readText(text.value)
      const same = style && simpleOf(style, kind, layer.title)
      if (same) Object.assign(form, same)
      lossy.value = !same
      opened = formText()
    }
    shown.value = next
    forget()
  }
  const tab = computed({ get: () => shown.value, set: show })

  async function change(call: () => Promise<Layer>) {
    busy.value = true
    try {
      await call()
      done()
    } catch (cause) {
      error.value = cause
      faults.value = [...fieldFaults(cause)].filter(([field]) => field.startsWith('style')).map(([path, words]) => ({ path, text: words }))
    } finally {
      busy.value = false
    }
  }

  async function save() {
    if (busy.value) return
    forget()
    const { value, style, fault } = read.value
    faults.value = fault ? [{ path: 'style', text: t('layers.style.noJson', { detail: fault }) }] : await mapFaults(style)
    if (!faults.value.length) await change(() => api.setLayerStyle(layer.name, layer.version, value))
  }

  async function remove() {
    if (busy.value) return
    forget()
    await change(() => api.removeLayerStyle(layer.name, layer.version))
  }

  return { own, form, tab, text, lossy, busy, error, faults, read, elsewhere, save, remove }
}
