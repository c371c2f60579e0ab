# Databricks notebook source
# MAGIC %md
# MAGIC # trackrec: from logs to RecCoT features
# MAGIC A night of the pipeline (histories → generate → encode → publish → items), the RecCoTs it wrote, and what they
# MAGIC are worth to a CTR model. Each cell calls what the nightly job calls. The cluster needs this repository on its
# MAGIC Python path (a Git folder is) and the packages of `setup.py`: `[vllm]` on GPU workers, `[ctr]` for the last.

# COMMAND ----------

from jobs import nightly, train_ctr
from trackrec.report.__main__ import main as report
from trackrec.runtime import notebook

notebook.add_widgets(dbutils, conf="../conf/demo.yaml")

# COMMAND ----------

# MAGIC %md
# MAGIC The widgets above are the flags of every job: `conf`, `set` (say `histories.max_users=10`) and `run-id`.

# COMMAND ----------

args = notebook.arguments(dbutils)
notebook.call(nightly.main, args)

# COMMAND ----------

# MAGIC %md
# MAGIC RecCoTs beside the histories that they were written from.

# COMMAND ----------

notebook.call(report, ["reccots", *args])

# COMMAND ----------

# MAGIC %md
# MAGIC The gain of a CTR model with these features over the same model without, next to floors and controls.

# COMMAND ----------

notebook.call(train_ctr.main, args)
