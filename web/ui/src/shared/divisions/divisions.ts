import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'
import * as api from '@/shared/api/endpoints'
import type { Division, Text } from '@/shared/api/types'
import { tx } from '@/shared/i18n'

/** Names of the county units, by code. A code that is deeper than a county's shows the county's name. */
export const useDivisions = defineStore('divisions', () => {
  const names = shallowRef(new Map<string, Text>())
  const list = shallowRef<Division[]>([])
  let asked = false

  async function load() {
    if (asked) return
    asked = true
    try {
      list.value = (await api.divisions()).items ?? []
      names.value = new Map(list.value.map((d) => [d.code, d.name]))
    } catch {
      asked = false
    }
  }

  function name(code: string): string {
    void load()
    return tx(names.value.get(code) ?? names.value.get(code.slice(0, 6)))
  }
  /** The counties that there are today. */
  const counties = computed(() => list.value.filter((d) => d.code.length === 6 && !d.valid_to))
  return { name, load, counties }
})
