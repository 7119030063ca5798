import { defineStore } from 'pinia'
import { shallowRef } from 'vue'
import * as api from '../api/endpoints'
import type { Text } from '../api/types'
import { tx } from '../i18n'

/** Names of the county units, by code. A code that is deeper than a county's shows the county's name. */
export const useDivisions = defineStore('divisions', () => {
  const names = shallowRef(new Map<string, Text>())
  let asked = false

  async function load() {
    if (asked) return
    asked = true
    try {
      const list = await api.divisions()
      names.value = new Map((list.items ?? []).map((d) => [d.code, d.name]))
    } catch {
      asked = false
    }
  }

  function name(code: string): string {
    void load()
    return tx(names.value.get(code) ?? names.value.get(code.slice(0, 6)))
  }
  return { name, load }
})
