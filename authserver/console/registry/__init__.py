"""What the app registry's pages in the console consist of, beside the list and the form themselves (`console.app_registry`).

`counts` puts numbers to apps, `page` has what stands beneath an app's form, `merging` and `splitting` are pages of their
own, `forms` and `filters` what operators fill in and choose.
"""
