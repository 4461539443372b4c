Show-Arguments -Name @{Add='x','y'; Remove=@('z'
'w')} -Number:007 -Force:$false
