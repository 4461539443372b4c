# a comment
Get-Thing `
  -Small <# inside
 two lines #> | ft; Get-Thing # end
