/** A column of a DataTable. */
export interface TableColumn {
  key: string
  label: string
  /** `num`: figures of one width; `short`: never broken into lines; `right`: figures to compare; `wide`: not on a phone. */
  class?: string
}

/** The column that a table is sorted by. */
export interface TableSort {
  by: string
  down: boolean
}
