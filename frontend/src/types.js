/**
 * Shapes of the plugin's replies (docs/http_api.md) and of the page's own state.
 *
 * Types only: nothing here exists at run time.
 *
 * @typedef {number | string} Step  An integer; text where it is beyond 2^53.
 * @typedef {number | "NaN" | "Infinity" | "-Infinity"} StrictNumber
 * @typedef {"critical" | "warning" | "info"} Severity
 * @typedef {Severity | "healthy" | "unknown" | "early" | "pending" | "error"} Verdict  A mark: severity, or the verdict on a run.
 * @typedef {"sick" | "nothing-found" | "not-decided" | "too-early" | "pending" | "error"} RunState
 *
 * @typedef {object} Judgment  What is said of a run as a whole.
 * @property {"sick" | "nothing-found" | "not-decided" | "too-early"} state
 * @property {number} decided  Checks that had the data they need.
 * @property {number} applicable
 * @property {string} why  In a sentence.
 * @typedef {"log10" | "linear"} Scale
 * @typedef {"high" | "low" | "both"} Worst
 *
 * @typedef {object} RunSummary
 * @property {string} run
 * @property {string[]} source_runs
 * @property {Step} last_step
 * @property {Severity | "healthy" | "unknown" | "pending"} severity
 * @property {Judgment | null} [verdict]
 * @property {{id: string, kind: string, title: string, rule_title: string, first_step: Step, layers: string[], layer_count: number} | null} first
 * @property {{critical: number, warning: number, info: number}} counts
 * @property {string[]} sources
 * @property {{kept: number, total: number, exact: boolean} | null} sampled
 * @property {"step" | "batch" | "epoch"} axis  What steps count.
 * @property {StrictNumber | null} loss  The last one.
 * @property {number | null} latest_seconds  Wall time of the newest record.
 * @property {Record<string, string>} settings
 * @property {string} health  A letter for each stretch of steps; see data/health_line.js.
 * @property {number} [experiments]  How many were made of it.
 * @property {string | null} error
 *
 * @typedef {object} RunsReply
 * @property {number} schema
 * @property {string} version
 * @property {number} total
 * @property {number} pending
 * @property {number | null} next_offset
 * @property {RunSummary[]} runs
 * @property {string} [stamp]  ETag of its first page.
 *
 * @typedef {object} Evidence
 * @property {string} statistic  Id of a statistic or of a measure.
 * @property {string} name  What was measured, in words.
 * @property {StrictNumber} value
 * @property {StrictNumber | null} limit
 * @property {"fraction" | null} [unit]  Of both numbers; a fraction is read in per cent.
 * @property {string | null} [side]  Which values speak for the finding, seen from `limit`: "more than" it, ...
 * @property {Step | null} step
 * @property {string | null} layer
 * @property {string | null} row  The one row of the layer that is meant.
 * @property {string | null} kind  Kind of rows that it was measured on, such as "target".
 * @property {string[]} [of]  Recorded statistics that show it, the most telling first.
 *
 * @typedef {object} Finding
 * @property {string} id
 * @property {"cause" | "symptom" | "caution"} kind
 * @property {Severity} severity
 * @property {number} confidence
 * @property {boolean} guess  A cause that is no likelier right than wrong.
 * @property {string} title
 * @property {string} summary
 * @property {Step} first_step
 * @property {Step} last_step
 * @property {string[]} layers
 * @property {Evidence[]} evidence
 * @property {string[]} shows  Statistics that show it, the best first.
 * @property {string[]} explains
 * @property {string | null} explained_by
 * @property {string[]} advice
 * @property {string[]} falsified_by
 * @property {string[]} references
 * @property {Step | null} [reported_step]
 * @property {Step | null} [recovered_step]
 * @property {string | null} [experiment]  What would settle it.
 * @property {string | null} [command]  That runs this experiment.
 * @property {{outcome: "confirmed" | "refuted" | "undecided", reason: string, experiment: string,
 *   remedy?: string | null} | null} [tested]
 *
 * @typedef {object} TagFamily  Histograms of one form of name, asked about or spoken of.
 * @property {string} pattern
 * @property {"user" | "either" | "both" | "operation" | "unknown"} why
 * @property {"gradient" | "variable" | "neither" | null} role
 * @property {number} count
 * @property {string[]} examples
 *
 * @typedef {object} ScalarTag  What one ordinary scalar was taken for.
 * @property {string} tag
 * @property {string} run
 * @property {string | null} role
 * @property {"read" | "part" | "told" | "spare" | "asked"} use
 * @property {boolean | null} higher_is_better
 *
 * @typedef {object} EarlierTraining  An older training in the same folder.
 * @property {Step} first_step
 * @property {Step} last_step
 * @property {number | NonFinite} began
 * @property {number | NonFinite} ended
 * @property {string[]} tags
 *
 * @typedef {object} Recipe
 * @property {string} title
 * @property {string[]} lines
 *
 * @typedef {object} FindingsReply
 * @property {number} schema
 * @property {string} run
 * @property {Step} last_step
 * @property {"step" | "batch" | "epoch"} axis  What steps count.
 * @property {string} loss_summary  How the loss went, in a sentence.
 * @property {Judgment} [verdict]
 * @property {string | null} fix_first  Of several causes the one to begin with.
 * @property {Finding[]} findings
 * @property {number} evaluated
 * @property {{id: string, needs: string[]}[]} not_evaluated
 * @property {{tag: string, step: Step | null, reason: string}[]} skipped
 * @property {TagFamily[]} tag_families
 * @property {ScalarTag[]} scalars
 * @property {EarlierTraining[]} earlier_trainings
 * @property {string[]} trainable_changes  Variables frozen or unfrozen on the way, in sentences.
 * @property {Recipe[]} recipes
 * @property {unknown} config
 * @property {Step[]} restarts
 * @property {boolean} shortened
 *
 * @typedef {"NaN" | "Infinity" | "-Infinity"} NonFinite
 *
 * @typedef {object} Series
 * @property {string} name
 * @property {string} title
 * @property {string} unit
 * @property {Scale} scale
 * @property {"step" | "epoch" | "batch"} axis
 * @property {string} source
 * @property {Step[]} steps
 * @property {(number | null)[]} values
 * @property {(number | null)[]} wall_times
 * @property {[number, NonFinite][]} nonfinite
 *
 * @typedef {object} SeriesReply
 * @property {number} schema
 * @property {string} run
 * @property {Series[]} series
 *
 * @typedef {object} Row
 * @property {string} name
 * @property {string} layer
 * @property {string} kind
 * @property {number[]} shape
 * @property {string} dtype
 * @property {string} activation
 * @property {string} initializer
 *
 * @typedef {object} Healthy  Values that a rule does not object to; null for an open end.
 * @property {number | null} low
 * @property {number | null} high
 * @property {string} rule
 *
 * @typedef {Healthy} Band
 *
 * @typedef {object} Metric
 * @property {string} name
 * @property {string} title
 * @property {string} symbol
 * @property {string} unit
 * @property {Scale} scale
 * @property {Worst} worst
 * @property {string} summary
 * @property {number | null} center
 * @property {Healthy | null} healthy
 *
 * @typedef {object} Group
 * @property {string} group
 * @property {boolean} exact
 * @property {number} records
 * @property {number | null} total
 * @property {number} row_count
 * @property {Row[]} rows
 * @property {Metric[]} metrics
 *
 * @typedef {object} LayersReply
 * @property {number} schema
 * @property {string} run
 * @property {number | null} next_offset
 * @property {Group[]} groups
 * @property {string} [tags]  What was said of histograms when it was asked for.
 *
 * @typedef {object} Column
 * @property {string} name
 * @property {string} title
 * @property {string} symbol
 * @property {string} unit
 * @property {Scale} scale
 * @property {Healthy | null} healthy
 * @property {(number | null)[]} low
 * @property {(number | null)[] | null} high
 * @property {[number, NonFinite][]} nonfinite
 *
 * @typedef {object} LayerReply
 * @property {number} schema
 * @property {string} run
 * @property {string} group
 * @property {Row} row
 * @property {boolean} exact
 * @property {"step" | "epoch"} axis
 * @property {Initialization | null} initialization
 * @property {Step[]} steps
 * @property {(number | null)[]} wall_times
 * @property {Column[]} columns
 *
 * @typedef {object} Initialization
 * @property {Step} step
 * @property {number} low
 * @property {number} high
 * @property {number | null} mean
 * @property {{std: number, formula: string} | null} expected
 * @property {[number, number] | null} fans
 * @property {"as expected" | "narrower" | "wider" | ""} verdict
 * @property {Healthy | null} healthy
 *
 * @typedef {object} Histogram
 * @property {"magnitude" | "gradient" | "variable"} of
 * @property {"step" | "epoch"} axis
 * @property {number} records
 * @property {Step[]} first_steps
 * @property {Step[]} last_steps
 * @property {number[]} codes
 * @property {{share: number, low: (number | null)[], high: (number | null)[]}[]} bands
 *
 * @typedef {object} HistogramReply
 * @property {number} schema
 * @property {string} run
 * @property {string} group
 * @property {Row} row
 * @property {Histogram[]} histograms
 *
 * @typedef {object} Setting
 * @property {string} name
 * @property {string | null} first
 * @property {string | null} second
 *
 * @typedef {object} FindingChange
 * @property {string} id
 * @property {string} title
 * @property {Severity | "none" | "not evaluated"} first
 * @property {Severity | "none" | "not evaluated"} second
 * @property {Step | null} first_step
 * @property {Step | null} second_step
 *
 * @typedef {object} LossComparison
 * @property {StrictNumber} first
 * @property {StrictNumber} second
 * @property {StrictNumber} orders
 * @property {boolean} one_kind
 * @property {Step} last_step
 * @property {Step | null} diverges_at
 * @property {number} compared
 * @property {number} largest_gap_steps
 * @property {string} axis
 *
 * @typedef {object} Difference
 * @property {string} statistic
 * @property {string} first_row
 * @property {string} second_row
 * @property {StrictNumber} first
 * @property {StrictNumber} second
 * @property {boolean} exact
 * @property {StrictNumber} orders
 * @property {Step} since_step
 * @property {number} compared
 *
 * @typedef {object} CompareReply
 * @property {number} schema
 * @property {string} run
 * @property {string} with
 * @property {[Step, Step]} last_steps
 * @property {["step" | "batch" | "epoch", "step" | "batch" | "epoch"]} axes
 * @property {Setting[] | null} settings
 * @property {FindingChange[]} findings
 * @property {FindingChange[]} shared
 * @property {LossComparison | null} loss
 * @property {Step | null} diverges_at
 * @property {Difference[]} differences
 * @property {number} difference_count
 * @property {{group: string, paired_by: "name" | "place" | "role" | null, partners: (number | null)[]}[]} groups
 * @property {boolean} shortened
 *
 * @typedef {object} Overlay  Curves of a run that stands beside the selected one.
 * @property {string} run
 * @property {SeriesReply | null} reply
 * @property {string | null} error
 *
 * @typedef {object} HeatHeader
 * @property {number} schema
 * @property {string} run
 * @property {string} group
 * @property {string} metric
 * @property {number} rows
 * @property {number} cells
 * @property {Step[]} first_steps
 * @property {Step[]} last_steps
 * @property {number | null} minimum
 * @property {number | null} maximum
 * @property {Scale} [scale]  Of a difference between two runs: what its values are.
 * @property {Band[]} [bands]  Limits that rules declare for the metric.
 * @property {number[]} [row_bands]  `[rows]`, which of them are the row's; -1 for none.
 *
 * @typedef {object} Heat  A decoded heat map; values and codes are row-major `[rows * cells]`.
 * @property {HeatHeader} header
 * @property {number} rows
 * @property {number} cells
 * @property {Float64Array} edges  `[cells + 1]` where each cell begins on the step axis, and the end.
 * @property {Float32Array} values
 * @property {Uint8Array} codes
 *
 * @typedef {object} Selection  What every view follows.
 * @property {string | null} run
 * @property {string | null} finding
 * @property {string | null} group
 * @property {string | null} metric
 * @property {string | null} row  See `rowKey`.
 * @property {number | null} step
 * @property {boolean} provisional  The run was chosen while others were still being examined.
 * @property {boolean} auto  Nothing was chosen by hand yet: follow the run's first finding.
 * @property {string | null} missing  A run that was asked for and is not there; another is shown.
 * @property {string | null} vanished  Id of a finding that was selected and is not there (any more).
 *
 * @typedef {"step" | "relative" | "wall"} XAxis
 * @typedef {"depth" | "name" | "worst" | "crossing"} Order
 * @typedef {"cause" | "verdict" | "folder" | "none"} RunGrouping
 * @typedef {"run" | "verdict" | "cause" | "onset" | "last" | "loss"} RunColumn
 *
 * @typedef {object} View  How it is looked at.
 * @property {XAxis} x
 * @property {number} smoothing
 * @property {boolean | null} log  null: the data decides.
 * @property {"loss" | "norms" | "metrics"} chart
 * @property {string[]} pinned  Names of series that are drawn in every chart of the whole run.
 * @property {boolean} outliers  Whether the y axis leaves out what lies far from the rest.
 * @property {"time" | "map" | null} full  The panel that covers the page.
 * @property {Order} order
 * @property {"health" | "value" | null} shade  What the map's colors say; null: health, where it shows
 *   something of the selected finding.
 * @property {string} filter
 * @property {"layer" | "profile"} tab
 * @property {boolean} constants  Whether the layer's charts draw what never changes, too.
 * @property {string[]} hidden  Names of series switched off in the legend.
 * @property {[number, number] | "all" | "onset" | "newest" | null} zoom  On the chosen x axis; "newest":
 *   the end of the run, wherever that moves; null: all, and of a run that is mostly not finite what is
 *   around the onset.
 * @property {"run" | "difference"} map  While runs are compared: what the map shows.
 * @property {string[]} compared  Runs beside the selected one; see state/compared.js.
 * @property {string[]} hiddenRuns
 * @property {boolean} showHidden
 * @property {"diagnosis" | "runs" | "experiments" | "landscape"} page
 * @property {string} runFilter  A regular expression, as in TensorBoard.
 * @property {RunState | null} runState  Only runs in this state.
 * @property {RunGrouping | null} runGroups  null: by cause where there are many.
 * @property {RunColumn} runSort
 * @property {boolean} runSortDown  Whether the largest comes first.
 * @property {string} tags  What was said of histograms; see state/tags.js.
 */
export {};
